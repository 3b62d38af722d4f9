// WebVTT, of the W3C: a header, then cues with two times and a text, an empty line after each.
#include "supervisor/formats/cue_writer.h"
#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

// `<` begins a tag, `&` a character reference, and "-->" may stand nowhere but between times.
std::string Escaped(std::string_view line) {
  std::string out;
  for (const char c : line) {
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

class WebVtt : public CueWriter {
 public:
  explicit WebVtt(Scope scope) : scope_(scope) {}

  void Begin(std::string& out) override { out += "WEBVTT\n\n"; }

 protected:
  void PutName(std::string& out, const std::string& name) override {
    if (scope_ == Scope::kJob) out += "NOTE " + Escaped(OneLine(name)) + "\n\n";
  }

  // Who speaks stands in a voice span, which its line's end closes, too.
  void Put(std::string& out, const Cue& cue) override {
    out += ClockTime(cue.start_ms, '.') + " --> " + ClockTime(cue.end_ms, '.') + '\n';
    if (cue.channel > 0) out += "<v Channel " + std::to_string(cue.channel) + '>';
    out += Escaped(cue.text) + "\n\n";
  }

 private:
  Scope scope_;
};

}  // namespace

std::unique_ptr<FormatWriter> MakeWebVtt(Scope scope) { return std::make_unique<WebVtt>(scope); }

}  // namespace consort
