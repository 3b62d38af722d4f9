// Lines come in any order, and go out in the order of the list and of time.
//
// The oldest unfinished file is the head: its lines go straight to the sink as soon as they join
// what has been written. Lines that run ahead are kept, and beyond a bound they spill to a scratch
// file: the bound limits memory, never progress.
//
// Each segment's line is added once; the caller has seen to that. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/gather/scratch_file.h"

namespace consort {

class Gather {
 public:
  // Gets one or more whole lines.
  using Sink = std::function<Status(std::string_view)>;

  static constexpr size_t kMemoryBytes = 8 * 1024 * 1024;

  Gather(Sink sink, ScratchFile scratch, size_t memory_bytes = kMemoryBytes)
      : sink_(std::move(sink)), scratch_(std::move(scratch)), memory_bytes_(memory_bytes) {}

  // The line (or lines) of one segment. Files are numbered from 0 in list order.
  Status Add(uint64_t file, uint64_t segment, std::string_view line);
  // No line comes any more. Lines of segments from `end` on are forgotten; `tail`, a whole line or
  // nothing, follows the last. Every segment below `end` has been added, segment `end` has not.
  Status Finish(uint64_t file, uint64_t end, std::string_view tail);

  // Files whose lines are all with the sink.
  uint64_t files_written() const { return first_; }
  size_t bytes_in_memory() const { return in_memory_; }
  uint64_t bytes_spilled() const { return spilled_total_; }

 private:
  struct Extent {  // in the scratch file
    uint64_t offset;
    uint64_t size;
  };
  // Lines of consecutive segments [key, next): first what was spilled, then what is in memory.
  struct Run {
    uint64_t next = 0;
    std::vector<Extent> spilled;
    std::string lines;
  };
  struct File {
    std::map<uint64_t, Run> runs;  // by first segment
    bool finished = false;
    uint64_t end = 0;
    std::string tail;
  };

  File& At(uint64_t file);
  Status WriteRun(Run& run);
  // Writes what joins the head's last line, and goes on to the next file when one is finished.
  Status Advance();
  Status Spill();

  Sink sink_;
  ScratchFile scratch_;
  size_t memory_bytes_;
  std::deque<File> files_;  // files_[0] is file number first_
  uint64_t first_ = 0;
  uint64_t head_next_ = 0;    // first segment of the head that has not been written
  size_t in_memory_ = 0;      // bytes of all runs' lines
  uint64_t spilled_now_ = 0;  // bytes in the scratch file that are still needed
  uint64_t spilled_total_ = 0;
  bool scratch_used_ = false;
  std::string buffer_;
};

}  // namespace consort
