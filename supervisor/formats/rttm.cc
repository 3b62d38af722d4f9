// Rich Transcription Time Marked, of NIST: one SPEAKER line of ten fields for each interval.
#include <algorithm>

#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

class Rttm : public FormatWriter {
 public:
  void Add(std::string& out, const ResultLine& line) override {
    for (const Caption& caption : CaptionsOf(line)) {
      const int64_t duration = std::max<int64_t>(caption.end_ms - caption.start_ms, 1);
      out += "SPEAKER " + BlankFree(line.file) + ' ' + ChannelNumber(line.channel) + ' ' +
             Seconds(caption.start_ms) + ' ' + Seconds(duration) + " <NA> <NA> " +
             BlankFree(caption.text) + " <NA> <NA>\n";
    }
  }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeRttm(Scope /*scope*/) { return std::make_unique<Rttm>(); }

}  // namespace consort
