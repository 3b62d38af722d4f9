#include "supervisor/join/frame_joiner.h"

#include <algorithm>

#include "shared/segment/segment.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

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

void SaveFile(std::string& out, const JoinedFile& file) {
  PutNumber(out, file.samples);
  PutNumber(out, file.rate);
  PutText(out, file.name);
}

bool RestoreFile(NumberText& text, JoinedFile& file) {
  file.samples = text.Get<int64_t>();
  file.rate = text.Get<int32_t>();
  file.name = text.GetText();
  return text.good() && file.rate > 0;
}

FrameJoiner::FrameJoiner(const Manifest& manifest)
    : segment_ns_(manifest.audio.segment_ns),
      hop_ns_(manifest.audio.hop_ns),
      grid_(manifest.audio.hop_ns, manifest.output.frame_ns) {}

int64_t FrameJoiner::ToMs(int64_t ns) const {
  return std::min(NsToMs(ns),
                  SegmentGrid(segment_ns_, hop_ns_, file_->rate).SampleToMs(file_->samples));
}

void FrameJoiner::Begin(int64_t channel, const JoinedFile* file) {
  channel_ = channel;
  file_ = file;
  next_segment_ = next_line_ = done_lines_ = 0;
  next_frame_ = known_from_ns_ = 0;
  joined_ = true;
  Forget();
}

// Take leaves everything as it is at the end of its frames, so what is open there is open.
void FrameJoiner::Add(const Piece& piece) {
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
  SetDoneLines();
}

void FrameJoiner::AddError() {
  Close(false);
  ++next_segment_;
  joined_ = false;
  SetDoneLines();
}

void FrameJoiner::End() {
  const auto count = SegmentGrid(segment_ns_, hop_ns_, file_->rate).Count(file_->samples);
  Close(next_segment_ == static_cast<uint64_t>(count));
  SetDoneLines();
}

void FrameJoiner::EndFirstOpen() {
  EndOpenEarly();
  SetDoneLines();
}

void FrameJoiner::SetDoneLines() { done_lines_ = std::min(next_segment_, FirstOpen()); }

void FrameJoiner::TakeLine(std::string& out) {
  const SegmentGrid grid(segment_ns_, hop_ns_, file_->rate);
  const auto k = static_cast<int64_t>(next_line_);
  char channel[kMaxChannelBytes];
  out += "{\"file\":\"";
  out += file_->name;
  out += '"';
  out.append(channel, WriteChannel(channel, channel_));
  out += ",\"start\":";
  AppendTime(out, grid.StartMs(k));
  out += ",\"end\":";
  AppendTime(out, grid.EndMs(k, file_->samples));
  AppendContent(out, next_line_);
  out += "}\n";
  ++next_line_;
}

std::string FrameJoiner::Save(FileIs file) const {
  std::string saved;
  if (next_segment_ == 0) return saved;
  PutNumber(saved, next_segment_);
  PutNumber(saved, next_line_);
  PutNumber(saved, next_frame_);
  PutNumber(saved, known_from_ns_);
  PutNumber(saved, int{joined_});
  if (file == FileIs::kSaved) SaveFile(saved, *file_);
  SaveOwn(saved);
  return saved;
}

bool FrameJoiner::Restore(std::string_view saved, JoinedFile* file) {
  if (saved.empty()) return true;
  NumberText text(saved);
  next_segment_ = text.Get<uint64_t>();
  next_line_ = text.Get<uint64_t>();
  next_frame_ = text.Get<int64_t>();
  known_from_ns_ = text.Get<int64_t>();
  joined_ = text.Get<int>() != 0;
  const bool good = file == nullptr || RestoreFile(text, *file);
  if (good && RestoreOwn(text) && text.good() && text.left().empty()) {
    SetDoneLines();
    return true;
  }
  Begin(channel_, file_);
  return false;
}

}  // namespace consort
