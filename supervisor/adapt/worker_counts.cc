#include "supervisor/adapt/worker_counts.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

// With fewer, a quarter of them is no worker.
constexpr int kEnoughForFewer = 4;

}  // namespace

int WorkerCounts::most() const {
  return challengers.empty() ? start : std::max(start, challengers.front());
}

WorkerCounts ListWorkerCounts(int start, int cpus) {
  WorkerCounts counts{.start = start, .challengers = {}};
  if (cpus > start) counts.challengers.push_back(cpus);
  if (start < kEnoughForFewer) return counts;
  for (const double share : {0.75, 0.5}) {
    counts.challengers.push_back(static_cast<int>(std::lround(share * start)));
  }
  return counts;
}

}  // namespace consort
