#include "supervisor/join/frame_joiner.h"

#include <algorithm>

#include "shared/segment/segment.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

constexpr size_t kPutBytes = 256 * 1024;

void AppendTime(std::string& out, int64_t ms) {
  char text[kMaxTimeBytes];
  out.append(text, WriteTime(text, ms));
}

}  // namespace

void AppendTimesAndScore(std::string& out, int64_t start_ms, int64_t end_ms, float score) {
  char text[kMaxScoreBytes];
  out += ",\"start\":";
  AppendTime(out, start_ms);
  out += ",\"end\":";
  AppendTime(out, end_ms);
  out += ",\"score\":";
  out.append(text, WriteScore(text, score));
  out += '}';
}

FrameJoiner::FrameJoiner(const Manifest& manifest, size_t labels)
    : segment_ns_(manifest.audio.segment_ns),
      hop_ns_(manifest.audio.hop_ns),
      grid_(manifest.audio.hop_ns, manifest.output.frame_ns),
      labels_(labels) {}

int64_t FrameJoiner::ToMs(int64_t ns) const {
  return std::min(NsToMs(ns), SegmentGrid(segment_ns_, hop_ns_, rate_).SampleToMs(samples_));
}

void FrameJoiner::Begin() {
  lines_.clear();
  name_.clear();
  next_segment_ = next_line_ = 0;
  next_frame_ = known_from_ns_ = 0;
  joined_ = true;
  Forget();
}

Status FrameJoiner::Add(std::string_view pieces, const Sink& put) {
  while (!pieces.empty()) {
    const size_t size = std::min(pieces.find('\n'), pieces.size() - 1) + 1;
    if (!ParsePiece(pieces.substr(0, size), piece_)) return Damaged("cannot be read");
    const bool known = std::ranges::all_of(
        piece_.told.runs, [this](const FrameRun& run) { return run.label < labels_; });
    if (!known) return Damaged("has labels that the bundle has not");
    if (piece_.segment != next_segment_) {
      return Damaged("is that of segment " + std::to_string(piece_.segment));
    }
    CONSORT_TRY(TakePiece(piece_, put));
    pieces.remove_prefix(size);
  }
  return PutLines(put);
}

Error FrameJoiner::Damaged(const std::string& how) const {
  std::string what = "what was kept of segment " + std::to_string(next_segment_);
  if (!name_.empty()) what += " of \"" + name_ + '"';
  return {what + " is damaged: it " + how, kBeginAnew};
}

Status FrameJoiner::TakePiece(const Piece& piece, const Sink& put) {
  if (!piece.error_line.empty()) {
    Close(false);
    CONSORT_TRY(AppendLines(put));
    lines_ += piece.error_line;
    next_line_ = ++next_segment_;
    joined_ = false;
    return Ok();
  }
  name_ = piece.name;
  samples_ = piece.samples;
  rate_ = piece.rate;
  const auto first = static_cast<int64_t>(piece.told.first_frame);
  if (joined_ && first != next_frame_) {  // no honest worker says that
    Close(false);
    joined_ = false;
  }
  if (!joined_) known_from_ns_ = grid_.StartNs(first);
  joined_ = true;
  next_frame_ = first;
  Take(piece.told);
  next_frame_ = first + piece.told.frames;
  ++next_segment_;
  CONSORT_TRY(AppendLines(put));
  while (Relieve()) CONSORT_TRY(AppendLines(put));
  return Ok();
}

// Take leaves everything as it is at the end of its frames, so what is open there is open.
Status FrameJoiner::AppendLines(const Sink& put) {
  const uint64_t end = std::min(next_segment_, FirstOpen());
  const SegmentGrid grid(segment_ns_, hop_ns_, rate_);
  for (; next_line_ < end; ++next_line_) {
    const auto k = static_cast<int64_t>(next_line_);
    lines_ += "{\"file\":\"";
    lines_ += name_;
    lines_ += "\",\"start\":";
    AppendTime(lines_, grid.StartMs(k));
    lines_ += ",\"end\":";
    AppendTime(lines_, grid.EndMs(k, samples_));
    AppendContent(lines_, next_line_);
    lines_ += "}\n";
    if (lines_.size() >= kPutBytes) CONSORT_TRY(PutLines(put));
  }
  return Ok();
}

Status FrameJoiner::PutLines(const Sink& put) {
  if (lines_.empty()) return Ok();
  const Status done = put(lines_);
  lines_.clear();
  return done;
}

Status FrameJoiner::End(std::string_view tail, const Sink& put) {
  const auto count = SegmentGrid(segment_ns_, hop_ns_, rate_).Count(samples_);
  Close(next_segment_ == static_cast<uint64_t>(count));
  CONSORT_TRY(AppendLines(put));
  lines_ += tail;
  CONSORT_TRY(PutLines(put));
  Begin();
  return Ok();
}

std::string FrameJoiner::Save() const {
  std::string saved;
  if (next_segment_ == 0) return saved;
  PutNumber(saved, next_segment_);
  PutNumber(saved, next_line_);
  PutNumber(saved, next_frame_);
  PutNumber(saved, known_from_ns_);
  PutNumber(saved, int{joined_});
  PutNumber(saved, samples_);
  PutNumber(saved, rate_);
  PutText(saved, name_);
  SaveOwn(saved);
  return saved;
}

Status FrameJoiner::Restore(std::string_view saved) {
  Begin();
  if (saved.empty()) return Ok();
  NumberText text(saved);
  next_segment_ = text.Get<uint64_t>();
  next_line_ = text.Get<uint64_t>();
  next_frame_ = text.Get<int64_t>();
  known_from_ns_ = text.Get<int64_t>();
  joined_ = text.Get<int>() != 0;
  samples_ = text.Get<int64_t>();
  rate_ = text.Get<int32_t>();
  name_ = text.GetText();
  if (RestoreOwn(text) && text.good() && text.left().empty() && rate_ > 0) return Ok();
  Begin();
  return Error{"what the journal says of the lines that wait is damaged", kBeginAnew};
}

}  // namespace consort
