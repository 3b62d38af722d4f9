#include "supervisor/join/piece.h"

#include "supervisor/join/number_text.h"

namespace consort {
namespace {

constexpr char kRuns = 'r';
constexpr char kError = 'e';

}  // namespace

void AppendPiece(std::string& out, const SegmentRuns& told, int64_t samples, int32_t rate,
                 std::string_view escaped_name) {
  out += kRuns;
  PutNumber(out, told.segment);
  PutNumber(out, told.first_frame);
  PutNumber(out, told.frames);
  PutNumber(out, samples);
  PutNumber(out, rate);
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

void AppendErrorPiece(std::string& out, uint64_t segment, std::string_view error_line) {
  out += kError;
  PutNumber(out, segment);
  out += error_line;
}

Status ParsePiece(std::string_view line, Piece& piece) {
  if (line.empty() || line.back() != '\n' || (line[0] != kRuns && line[0] != kError)) {
    return Error{"a piece of the results is damaged", kBeginAnew};
  }
  NumberText text(line.substr(1));
  piece.segment = text.Get<uint64_t>();
  piece.error_line.clear();
  if (line[0] == kError) {
    piece.error_line = text.left();
    return text.good() ? Ok() : Status(Error{"a piece of the results is damaged", kBeginAnew});
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
  if (!text.good() || piece.rate < 1) return Error{"a piece of the results is damaged", kBeginAnew};
  return Ok();
}

}  // namespace consort
