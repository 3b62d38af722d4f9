// SubRip subtitles: a number, two times with a comma before the milliseconds, a text, an empty
// line.
#include <algorithm>

#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

class Srt : public FormatWriter {
 public:
  void Add(std::string& out, const ResultLine& line) override {
    for (const Caption& caption : CaptionsOf(line)) {
      const int64_t end_ms = std::max(caption.end_ms, caption.start_ms + 1);
      out += std::to_string(++number_) + '\n' + ClockTime(caption.start_ms, ',') + " --> " +
             ClockTime(end_ms, ',') + '\n' + OneLine(caption.text) + "\n\n";
    }
  }

 private:
  uint64_t number_ = 0;
};

}  // namespace

std::unique_ptr<FormatWriter> MakeSrt(Scope /*scope*/) { return std::make_unique<Srt>(); }

}  // namespace consort
