// Lines come in any order, and go out in the order of the list and of time.
//
// The oldest unfinished file is the head: its lines go straight to the sink as soon as they join
// what has been written. Lines that run ahead are kept, and beyond a bound they spill to a scratch
// file; finished files that follow one another are kept as one stretch of text. So the bound limits
// memory, never progress: a head that takes for ever holds up the output and nothing else.
//
// Where things go on from one segment to the next (words, events) the lines that are added are
// pieces, and a joiner makes lines of them in order: of the head's as they come, of another file's
// when that is finished (supervisor/join/).
//
// Each segment's line is added once; the caller has seen to that. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "shared/base/result.h"
#include "supervisor/gather/scratch_file.h"
#include "supervisor/gather/spilled_text.h"
#include "supervisor/join/line_joiner.h"

namespace consort {

class Gather {
 public:
  // Gets one or more whole lines.
  using Sink = std::function<Status(std::string_view)>;

  static constexpr size_t kMemoryBytes = 8 * 1024 * 1024;

  Gather(Sink sink, ScratchFile scratch, size_t memory_bytes = kMemoryBytes)
      : sink_(std::move(sink)), scratch_(std::move(scratch)), memory_bytes_(memory_bytes) {}

  // Before anything else. While `enough` says so, what lies in the scratch file stays there: a sink
  // that takes no more for now would have to hold all of it in memory.
  void StopWhile(std::function<bool()> enough) { enough_ = std::move(enough); }
  // There is what could go to the sink; GoOn gives it.
  bool waits() const { return waits_; }
  Status GoOn() { return Advance(); }

  // Before anything else: what is added are pieces. Two of a kind, for the head and for others;
  // null: each is a line.
  void JoinWith(std::unique_ptr<LineJoiner> of_head, std::unique_ptr<LineJoiner> of_others) {
    of_head_ = std::move(of_head);
    of_others_ = std::move(of_others);
  }

  // The line (or lines) of one segment; where lines are joined, its piece. Files are numbered from
  // 0 in list order.
  Status Add(uint64_t file, uint64_t segment, std::string_view line);
  // No line comes any more. Lines of segments from `end` on are forgotten; `tail`, a whole line or
  // nothing, follows the last. Every segment below `end` has been added, segment `end` has not.
  Status Finish(uint64_t file, uint64_t end, std::string_view tail);

  // Before anything else but JoinWith: what is before this place has been written, `bytes` of it by
  // the head; `joiner` is what SaveJoiner said then.
  Status StartAt(uint64_t head, uint64_t head_next, uint64_t head_bytes,
                 std::string_view joiner = {});
  // Before anything else of these: the files [first, end) have no lines here.
  Status Skip(uint64_t first, uint64_t end);

  // Files whose lines are all with the sink.
  uint64_t files_written() const { return first_; }
  // The first segment of file files_written() whose line is not with the sink, nor with the joiner.
  uint64_t head_next() const { return head_next_; }
  // Bytes of that file that are with the sink.
  uint64_t head_bytes() const { return head_bytes_; }
  // What the joiner holds back of that file, and knows of it; empty: nothing.
  std::string SaveJoiner() const { return of_head_ ? of_head_->Save() : std::string(); }
  // Bytes of all lines of the file that was finished last.
  uint64_t finished_bytes() const { return finished_bytes_; }
  size_t bytes_in_memory() const { return in_memory_; }
  uint64_t bytes_spilled() const { return spilled_total_; }
  // Pieces that are kept apart: what memory beside the text itself grows with.
  size_t pieces() const;

 private:
  struct Run {  // lines of consecutive segments [key, next)
    uint64_t next = 0;
    SpilledText text;
  };
  using OpenFile = std::map<uint64_t, Run>;  // by first segment
  struct Stretch {                           // finished files [key, end)
    uint64_t end = 0;
    SpilledText text;
  };

  // Writes what joins what has been written: the head's runs, then stretches.
  Status Advance();
  Status Write(SpilledText& text);
  // The head's, in order: to the sink, or by way of the joiner.
  Status WriteHead(std::string_view lines);
  Status WriteHead(SpilledText& text);
  // `each` gets all of it in stretches of whole lines; what it got is forgotten. Once there is
  // enough the rest of what lies in the scratch file, and what follows it, stays.
  template <typename Each>
  Status Read(SpilledText& text, Each each, const std::function<bool()>& enough = {});
  // The head's joiner, and others', know segments; which file that is they do not.
  static Status OfFile(uint64_t file, Status status);
  static Status AddTo(LineJoiner& joiner, uint64_t file, std::string_view pieces,
                      const LineJoiner::Sink& put);
  // Puts the lines that `joiner` makes of a file's pieces behind `to`.
  Status Join(uint64_t file, LineJoiner& joiner, SpilledText& to, SpilledText&& pieces);
  Status Grow(SpilledText& to, std::string_view lines);
  void Forget(const SpilledText& text);
  // Puts `from` behind `to`.
  Status Append(SpilledText& to, SpilledText&& from);
  Status Spill();
  Status SpillOne(SpilledText& text);

  Sink sink_;
  std::function<bool()> enough_;  // none: never
  bool waits_ = false;
  ScratchFile scratch_;
  size_t memory_bytes_;
  std::unique_ptr<LineJoiner> of_head_;
  std::unique_ptr<LineJoiner> of_others_;
  std::map<uint64_t, OpenFile> open_;      // by number; the unfinished ones that have lines here
  std::map<uint64_t, Stretch> stretches_;  // by the first file's number
  uint64_t first_ = 0;                     // the head
  uint64_t head_next_ = 0;                 // first segment of the head that has not been written
  uint64_t head_bytes_ = 0;
  uint64_t finished_bytes_ = 0;
  size_t in_memory_ = 0;      // bytes of all texts' lines
  uint64_t spilled_now_ = 0;  // bytes in the scratch file that are still needed
  uint64_t spilled_total_ = 0;
  bool scratch_used_ = false;
  std::string buffer_;
};

}  // namespace consort
