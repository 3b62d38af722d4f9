// Raven Pro's selection table: tab-separated, a header, one selection a row.
#include <algorithm>

#include "supervisor/formats/text.h"
#include "supervisor/formats/writers.h"

namespace consort {
namespace {

// A selection has a frequency range, ours have none: a box that fits any recording of 16 kHz and
// more.
constexpr char kFrequencies[] = "\t0\t8000\t";

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class Raven : public FormatWriter {
 public:
  void Begin(std::string& out) override {
    out +=
        "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq "
        "(Hz)\tBegin File\tBegin Path\tFile Offset (s)\tAnnotation\tScore\tRank\n";
  }

  void BeginRecording(std::string& /*out*/, const std::string& name) override {
    before_ms_ += length_ms_;
    length_ms_ = 0;
    names_ = OneLine(NameOf(name)) + '\t' + OneLine(name) + '\t';
  }

  void Add(std::string& out, const ResultLine& line) override {
    // Not its start: that of silence behind the file's end.
    length_ms_ = std::max(length_ms_, line.end_ms);
    if (line.kind != ResultLine::Kind::kTags) {
      for (const Caption& caption : CaptionsOf(line)) {
        // Of merged detections the lines that one goes on in are not there.
        length_ms_ = std::max(length_ms_, caption.end_ms);
        AddSelection(out, line, caption, ScoreText(caption.score) + '\t');
      }
      return;
    }
    if (line.end_ms < line.start_ms) return;
    for (size_t i = 0; i < line.tags.size(); ++i) {
      const Caption tag{line.start_ms, line.end_ms, line.tags[i].label, line.tags[i].score};
      AddSelection(out, line, tag, ScoreText(tag.score) + '\t' + std::to_string(i + 1));
    }
  }

 private:
  void AddSelection(std::string& out, const ResultLine& line, const Caption& selection,
                    const std::string& score_and_rank) {
    out += std::to_string(++selections_) + "\tSpectrogram 1\t" + ChannelNumber(line.channel) +
           '\t' + Seconds(before_ms_ + selection.start_ms) + '\t' +
           Seconds(before_ms_ + selection.end_ms) + kFrequencies + names_ +
           Seconds(selection.start_ms) + '\t' + OneLine(selection.text) + '\t' + score_and_rank +
           '\n';
  }

  // Begin Time and End Time count through all recordings, as Raven does that opens them as one
  // sequence.
  int64_t before_ms_ = 0;  // the recordings before this one, together
  int64_t length_ms_ = 0;  // this one, as far as it is known
  uint64_t selections_ = 0;
  std::string names_;
};

}  // namespace

std::unique_ptr<FormatWriter> MakeRaven(Scope /*scope*/) { return std::make_unique<Raven>(); }

}  // namespace consort
