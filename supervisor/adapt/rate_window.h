// How many segments a second some workers gave within a window of a running job, and how sure that
// is.
//
// Segments are counted, not the time that was spent on them: every segment has the same forward
// whatever was recorded, and an engine is always busy, so that the time it spends says nothing
// (beside its sibling it takes longer for the same segment). What differs from file to file, mostly
// decoding, shows in the error.
//
// The rate is that of supervisor/figures/engine_rate.h: from one result of an engine to another, so
// that no segment that is half done at the window's edges counts for too much or too little.
//
// Values alone; constant memory for each worker. A worker has one engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "supervisor/figures/engine_rate.h"
#include "supervisor/figures/work_slices.h"

namespace consort {

struct WindowRate {
  double per_second = 0;
  // Its standard error, relative to it: the larger one of that by the times of results, as if each
  // were independent of the one before, and of that by parts of the window.
  double error = 1;
};

class RateWindow {
 public:
  // Of the workers in the first slots.
  RateWindow(int workers, int64_t from_ns);

  // In order of time for each slot; what is none of this window's is left out. `began_ns`: since
  // when the engine was at it, for the first segment of a burst.
  void Add(size_t slot, int64_t began_ns, int64_t at_ns, bool begins_burst);

  int64_t from_ns() const { return from_ns_; }
  // The least that any worker has given.
  uint64_t FewestBursts() const;

  WindowRate Close(int64_t to_ns) const;

 private:
  struct Engine {
    EngineRate rate;
    int64_t burst_from_ns = 0;  // since when its last burst was worked on
    int64_t burst_ns = 0;       // when that came
    // Of the times between bursts, in ns (Welford).
    uint64_t intervals = 0;
    double mean = 0;
    double squares = 0;
  };

  int64_t from_ns_;
  std::vector<Engine> engines_;
  WorkSlices slices_;
};

}  // namespace consort
