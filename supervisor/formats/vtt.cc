// WebVTT, of the W3C: a header, then cues with two times and a text, an empty line after each.
#include <algorithm>

#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

// `<` begins a tag, `&` a character reference, and "-->" may stand nowhere but between times.
std::string Escaped(std::string_view bytes) {
  std::string out;
  for (const char c : OneLine(bytes)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

class WebVtt : public FormatWriter {
 public:
  explicit WebVtt(Scope scope) : scope_(scope) {}

  void Begin(std::string& out) override { out += "WEBVTT\n\n"; }

  void BeginRecording(std::string& out, const std::string& name) override {
    if (scope_ == Scope::kJob) out += "NOTE " + Escaped(name) + "\n\n";
  }

  void Add(std::string& out, const ResultLine& line) override {
    for (const Caption& caption : CaptionsOf(line)) {
      const int64_t end_ms = std::max(caption.end_ms, caption.start_ms + 1);
      out += ClockTime(caption.start_ms, '.') + " --> " + ClockTime(end_ms, '.') + '\n' +
             Escaped(caption.text) + "\n\n";
    }
  }

 private:
  Scope scope_;
};

}  // namespace

std::unique_ptr<FormatWriter> MakeWebVtt(Scope scope) { return std::make_unique<WebVtt>(scope); }

}  // namespace consort
