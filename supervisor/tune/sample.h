// A sample of the person's own files for trials to work on.
//
// Files are taken evenly spaced from all operands, and put into an order in which each beginning is
// evenly spaced, too: a short trial sees long and short ones in about the proportion of the whole.
// The trials' list repeats them, so that it does not run out. No file is opened here: which of them
// fail is learnt from the results of a run, and those are left out from then on, since a file that
// fails at once would be taken for speed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/plan/list.h"

namespace consort {

class Sample {
 public:
  static constexpr size_t kMostFiles = 256;

  // From the whole list, which is read once. A name that a list of lines cannot hold is passed over
  // for its neighbour. An error if nothing is left.
  static Result<Sample> Take(FileList& list);

  // Paths, absolute, in the order of the trials.
  const std::vector<std::string>& paths() const { return paths_; }

  // Writes a list of at least `entries` paths, all of them equally often.
  Status WriteList(const std::string& path, uint64_t entries) const;

  // Reads the results of a run over such a list and leaves out the files that gave nothing but an
  // error, or crashed. Returns how many it left out. If none would remain, an error with the first
  // file's.
  Result<size_t> LeaveOutFailures(const std::string& results);

 private:
  std::vector<std::string> paths_;
};

// 0, 1, …, n − 1 in such an order that each beginning is evenly spaced.
std::vector<size_t> SpreadOrder(size_t n);

}  // namespace consort
