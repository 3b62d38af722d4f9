#include "supervisor/join/piece.h"

#include "supervisor/join/number_text.h"

namespace consort {
namespace {

constexpr char kRuns = 'r';
constexpr char kError = 'e';
// The same where channels are heard one by one: the file's number of them comes first.
constexpr char kRunsOfChannel = 'R';
constexpr char kErrorOfChannel = 'E';

void PutKind(std::string& out, char plain, char of_channel, int32_t channels) {
  out += channels > 0 ? of_channel : plain;
  if (channels > 0) PutNumber(out, channels);
}

Error Damaged() { return {"a piece of the results is damaged", kBeginAnew}; }

}  // namespace

void AppendPiece(std::string& out, const SegmentRuns& told, const FileInfo& info,
                 std::string_view escaped_name) {
  PutKind(out, kRuns, kRunsOfChannel, info.channels);
  PutNumber(out, told.segment);
  PutNumber(out, told.first_frame);
  PutNumber(out, told.frames);
  PutNumber(out, info.samples);
  PutNumber(out, info.sample_rate);
  PutNumber(out, told.runs.size());
  for (const FrameRun& run : told.runs) {
    PutNumber(out, run.label);
    PutNumber(out, run.first);
    PutNumber(out, run.count);
    PutBits(out, run.score);
    PutNumber(out, unsigned{run.level});
  }
  out += escaped_name;
  out += '\n';
}

void AppendErrorPiece(std::string& out, uint64_t segment, int32_t channels,
                      std::string_view error_line) {
  PutKind(out, kError, kErrorOfChannel, channels);
  PutNumber(out, segment);
  out += error_line;
}

Status ParsePiece(std::string_view line, Piece& piece) {
  if (line.empty() || line.back() != '\n') return Damaged();
  const bool of_channel = line[0] == kRunsOfChannel || line[0] == kErrorOfChannel;
  const bool error = line[0] == kError || line[0] == kErrorOfChannel;
  if (!of_channel && !error && line[0] != kRuns) return Damaged();
  NumberText text(line.substr(1));
  piece.channels = of_channel ? text.Get<int32_t>() : 0;
  if (of_channel && (piece.channels < 1 || piece.channels > kMaxStreams)) return Damaged();
  piece.segment = text.Get<uint64_t>();
  piece.error_line.clear();
  if (error) {
    piece.error_line = text.left();
    return text.good() ? Ok() : Status(Damaged());
  }
  SegmentRuns& told = piece.told;
  told.segment = piece.segment;
  told.first_frame = text.Get<uint64_t>();
  told.frames = text.Get<uint32_t>();
  piece.samples = text.Get<int64_t>();
  piece.rate = text.Get<int32_t>();
  const auto count = text.Get<size_t>();
  told.runs.clear();
  for (size_t i = 0; i < count && text.good(); ++i) {
    FrameRun& run = told.runs.emplace_back();
    run.label = text.Get<uint32_t>();
    run.first = text.Get<uint32_t>();
    run.count = text.Get<uint32_t>();
    run.score = text.GetFloat();
    run.level = static_cast<uint8_t>(text.Get<unsigned>());
  }
  piece.name = text.left().substr(0, text.left().size() - 1);
  return text.good() && piece.rate >= 1 ? Ok() : Status(Damaged());
}

}  // namespace consort
