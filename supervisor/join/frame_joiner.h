// What joiners of words and of events have in common: which file it is, which of its segments have
// come, and which lines wait.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/segment/frames.h"
#include "supervisor/join/line_joiner.h"
#include "supervisor/join/number_text.h"
#include "supervisor/join/piece.h"

namespace consort {

class FrameJoiner : public LineJoiner {
 public:
  FrameJoiner(const Manifest& manifest, size_t labels);

  void Begin() final;
  Status Add(std::string_view pieces, const Sink& put) final;
  Status End(std::string_view tail, const Sink& put) final;
  std::string Save() const final;
  Status Restore(std::string_view saved) final;

 protected:
  static constexpr uint64_t kNone = UINT64_MAX;

  // Nothing is known.
  virtual void Forget() = 0;
  // The next frames of the file: next_frame() is the first of them.
  virtual void Take(const SegmentRuns& told) = 0;
  // All that is open ends here. The file does too, or nobody knows what follows.
  virtual void Close(bool at_file_end) = 0;
  // The first segment in which something begins that may still change; kNone: there is nothing.
  virtual uint64_t FirstOpen() const = 0;
  // If too much waits for FirstOpen(): that ends at next_frame(). False: it may wait.
  virtual bool Relieve() { return false; }
  // What a segment's line has behind its times, such as `,"words":[]`; it is forgotten.
  virtual void AppendContent(std::string& line, uint64_t segment) = 0;
  virtual void SaveOwn(std::string& out) const = 0;
  // False: the text is damaged.
  virtual bool RestoreOwn(NumberText& text) = 0;

  // One past the last frame that was taken.
  int64_t next_frame() const { return next_frame_; }
  int64_t StartNs(int64_t frame) const { return grid_.StartNs(frame); }
  int64_t FileEndNs() const { return SamplesToNs(samples_, rate_); }
  // Nothing is known of what lies before: 0 or, behind a segment that crashed, where frames begin.
  int64_t KnownFromNs() const { return known_from_ns_; }
  // In results: not behind the file's end.
  int64_t ToMs(int64_t ns) const;

 private:
  Error Damaged(const std::string& how) const;
  Status TakePiece(const Piece& piece, const Sink& put);
  Status AppendLines(const Sink& put);
  Status PutLines(const Sink& put);

  const int64_t segment_ns_;
  const int64_t hop_ns_;
  const FrameGrid grid_;
  const size_t labels_;
  Piece piece_;        // kept: its memory is used again
  std::string lines_;  // on their way out; empty between calls

  std::string name_;  // escaped
  int64_t samples_ = 0;
  int32_t rate_ = 1;
  uint64_t next_segment_ = 0;  // that is to come
  uint64_t next_line_ = 0;     // that is to be given out
  int64_t next_frame_ = 0;
  int64_t known_from_ns_ = 0;
  bool joined_ = true;  // the next piece goes on where the last one ended
};

// `,"start":0.420,"end":0.700,"score":0.9876}`
void AppendTimesAndScore(std::string& out, int64_t start_ms, int64_t end_ms, float score);

}  // namespace consort
