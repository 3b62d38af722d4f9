// Which numbers of workers, of one engine each, are worth a trial while a job is under way.
#pragma once

#include <vector>

namespace consort {

struct WorkerCounts {
  int start = 1;  // what the job begins with
  // In the order in which they are tried: the larger one first, then fewer and fewer. Empty: there
  // is nothing to try.
  std::vector<int> challengers;

  // The most that there may ever be.
  int most() const;
};

// `cpus`: how many workers there is room for: a CPU and memory for each.
// More than `start` (one a core) helps where the second thread of a core does, fewer where memory
// bandwidth, heat or neighbours are the bound: of four and more, three quarters and half of them.
WorkerCounts ListWorkerCounts(int start, int cpus);

}  // namespace consort
