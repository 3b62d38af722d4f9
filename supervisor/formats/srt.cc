// SubRip subtitles: a number, two times with a comma before the milliseconds, a text, an empty
// line.
#include "supervisor/formats/cue_writer.h"
#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

class Srt : public CueWriter {
 protected:
  void Put(std::string& out, const Cue& cue) override {
    out += std::to_string(++number_) + '\n' + ClockTime(cue.start_ms, ',') + " --> " +
           ClockTime(cue.end_ms, ',') + '\n' + ChannelWords(cue.channel) + cue.text + "\n\n";
  }

 private:
  uint64_t number_ = 0;
};

}  // namespace

std::unique_ptr<FormatWriter> MakeSrt(Scope /*scope*/) { return std::make_unique<Srt>(); }

}  // namespace consort
