// What one worker, and the model in it, writes to standard output and error: the reading end of its
// pipe, taken apart into lines. Passive: the fleet says when to read. Nothing here ever waits.
//
// A line is told without its newline. One longer than kMostLineBytes is cut there, and ends in "…";
// what came without a newline is told at the worker's death.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class WorkerOutput {
 public:
  static constexpr size_t kMostLineBytes = 4096;
  static constexpr size_t kTailBytes = 4096;
  // What is read before others have their turn.
  static constexpr size_t kTurnBytes = 16 * 1024;
  using Tell = std::function<void(std::string_view line)>;

  // `theirs`: the writing end, for the worker.
  static Result<WorkerOutput> Make(UniqueFd& theirs);

  int fd() const { return reading_.get(); }
  // What is there, up to kTurnBytes. False: nobody will write any more.
  bool Read(const Tell& tell);
  // Its writer is dead: all that is left.
  void ReadRest(const Tell& tell);

  // The last lines, oldest first, kTailBytes of them at most.
  std::vector<std::string> Tail() const { return {tail_.begin(), tail_.end()}; }

 private:
  enum class Got { kSome, kNothing, kEnd };

  explicit WorkerOutput(UniqueFd reading) : reading_(std::move(reading)) {}
  Got ReadOnce(const Tell& tell);
  void Take(std::string_view bytes, const Tell& tell);
  void EndLine(const Tell& tell);

  UniqueFd reading_;
  std::string line_;  // so far
  bool cut_ = false;  // more of it came than is kept
  std::deque<std::string> tail_;
  size_t tail_bytes_ = 0;
};

}  // namespace consort
