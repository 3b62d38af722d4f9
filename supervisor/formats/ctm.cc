// NIST's time-marked conversation file: recording, channel, start, duration, word, confidence.
#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

// A line that begins with two semicolons is a comment.
std::string RecordingField(const std::string& name) {
  std::string field = BlankFree(name);
  if (field.starts_with(";;")) field.replace(0, 2, "__");
  return field;
}

class Ctm : public FormatWriter {
 public:
  void Add(std::string& out, const ResultLine& line) override {
    for (const TimedWord& word : line.words) {
      if (line.kind != ResultLine::Kind::kTranscript) break;
      if (word.word.empty() || word.end_ms < word.start_ms) continue;
      AddWord(out, line, {word.start_ms, word.end_ms, word.word, word.score});
    }
    if (line.kind == ResultLine::Kind::kTranscript && !line.words.empty()) return;
    for (const Caption& caption : CaptionsOf(line)) AddWord(out, line, caption);
  }

 private:
  static void AddWord(std::string& out, const ResultLine& line, const Caption& word) {
    out += RecordingField(line.file) + ' ' + ChannelNumber(line.channel) + ' ' +
           Seconds(word.start_ms) + ' ' + Seconds(word.end_ms - word.start_ms) + ' ' +
           BlankFree(word.text);
    if (word.score) out += ' ' + ScoreText(word.score);
    out += '\n';
  }
};

}  // namespace

std::unique_ptr<FormatWriter> MakeCtm(Scope /*scope*/) { return std::make_unique<Ctm>(); }

}  // namespace consort
