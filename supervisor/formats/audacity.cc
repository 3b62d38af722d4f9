// Audacity's labels in their standard form: start, end and text, with tabs between, a line each.
#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

class Audacity : public FormatWriter {
 public:
  void Add(std::string& out, const ResultLine& line) override {
    for (const Caption& caption : CaptionsOf(line)) {
      // Audacity writes six decimals; ours has three that say something.
      out += Seconds(caption.start_ms) + "000\t" + Seconds(caption.end_ms) + "000\t" +
             ChannelWords(line.channel) + OneLine(caption.text) + '\n';
    }
  }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeAudacity(Scope /*scope*/) { return std::make_unique<Audacity>(); }

}  // namespace consort
