// What joiners of words and of events have in common: of one channel of a file, which of its
// segments have come, and which lines wait. A file without channels of its own is one (0).
//
// Whoever owns it decides when a line that is done goes out, so that those of several channels can
// go out in order (channels_joiner.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/bundle/manifest.h"
#include "shared/segment/frames.h"
#include "supervisor/join/number_text.h"
#include "supervisor/join/piece.h"

namespace consort {

// What every piece says of its file as a whole; of one of which only errors came nothing is known.
struct JoinedFile {
  std::string name;  // escaped
  int64_t samples = 0;
  int32_t rate = 1;  // Hz
};
void SaveFile(std::string& out, const JoinedFile& file);
// False: the text is damaged.
bool RestoreFile(NumberText& text, JoinedFile& file);

class FrameJoiner {
 public:
  explicit FrameJoiner(const Manifest& manifest);
  virtual ~FrameJoiner() = default;
  FrameJoiner(const FrameJoiner&) = delete;
  FrameJoiner& operator=(const FrameJoiner&) = delete;

  // Another file: nothing is known of its segments. `channel`: as its lines tell it, from 1; 0: not
  // at all. `file` is the owner's, for the joiners of all channels, and stays; what a piece says of
  // it is in it before that piece is added.
  void Begin(int64_t channel, const JoinedFile* file);
  // The next segment. told.segment counts the channel's own ones, as all numbers here do.
  void Add(const Piece& piece);
  // The next segment has an error line, which is with the owner: what is open ends.
  void AddError();
  // No segment follows: what is open ends, and every line is done.
  void End();

  // The first line that was not taken is done: nothing can change it any more.
  bool HasLine() const { return next_line_ < done_lines_; }
  // That line, with its end; only if HasLine. An error's line is passed over.
  void TakeLine(std::string& out);
  void PassLine() { ++next_line_; }

  // Things that have an end and wait for their line to be taken, as far as they are bounded.
  virtual size_t held() const = 0;
  // What the first line waits for ends where the frames end that are known.
  void EndFirstOpen();

  uint64_t next_segment() const { return next_segment_; }  // that is to come
  uint64_t next_line() const { return next_line_; }        // that is to be taken

  // All that a later Add depends on, but for the channel, as text without a line feed; empty if
  // nothing is known. The file is in it where it is that of this joiner alone.
  enum class FileIs { kSaved, kElsewhere };
  std::string Save(FileIs file) const;
  // After Begin. False: the text is damaged, and nothing is known. `file`: gets what was saved of
  // it; null: that is elsewhere.
  bool Restore(std::string_view saved, JoinedFile* file);

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
  // What begins in the first segment in which something is open ends where the frames end.
  virtual void EndOpenEarly() = 0;
  // What a segment's line has behind its times, such as `,"words":[]`; it is forgotten.
  virtual void AppendContent(std::string& line, uint64_t segment) = 0;
  virtual void SaveOwn(std::string& out) const = 0;
  // False: the text is damaged.
  virtual bool RestoreOwn(NumberText& text) = 0;

  // One past the last frame that was taken.
  int64_t next_frame() const { return next_frame_; }
  int64_t StartNs(int64_t frame) const { return grid_.StartNs(frame); }
  int64_t FileEndNs() const { return SamplesToNs(file_->samples, file_->rate); }
  // Nothing is known of what lies before: 0 or, behind a segment that crashed, where frames begin.
  int64_t KnownFromNs() const { return known_from_ns_; }
  // In results: not behind the file's end.
  int64_t ToMs(int64_t ns) const;

 private:
  // To be called once what is open changed: lines are many, and to look for it is long.
  void SetDoneLines();

  const int64_t segment_ns_;
  const int64_t hop_ns_;
  const FrameGrid grid_;

  int64_t channel_ = 0;
  const JoinedFile* file_ = nullptr;
  uint64_t next_segment_ = 0;
  uint64_t next_line_ = 0;
  uint64_t done_lines_ = 0;  // nothing can change those before
  int64_t next_frame_ = 0;
  int64_t known_from_ns_ = 0;
  bool joined_ = true;  // the next piece goes on where the last one ended
};

// `,"start":0.420,"end":0.700,"score":0.9876}`
void AppendTimesAndScore(std::string& out, int64_t start_ms, int64_t end_ms, float score);

}  // namespace consort
