// One trial: a `consort run` of its own that counts for some seconds, in a folder of its own.
//
// Whatever becomes of it, nobody of it lives when this returns: its supervisor's death ends its
// workers, and what is left of them is waited for here.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"
#include "supervisor/place/placement.h"
#include "supervisor/tune/signals.h"
#include "supervisor/tune/trial_figures.h"

namespace consort {

struct MeasureOrder {
  std::string bundle;
  Split split;
  int intra = 1;
  double seconds = 0;
  std::string list;         // of the files
  std::string folder;       // made for it, and empty
  int64_t deadline_ns = 0;  // MonotonicNs; it is ended then
};

struct MeasuredRun {
  enum class Kind {
    kMeasured,     // figures
    kFailed,       // error
    kOutOfTime,    // the deadline came first
    kInterrupted,  // a signal came: number
  } kind = Kind::kFailed;
  TrialFigures figures;
  Error error;
  int signal = 0;
  double took_s = 0;
  std::string results;  // path
};

// Once, before the first: orphans of a run become this process's children, to be waited for.
void AdoptOrphans();

MeasuredRun Measure(const MeasureOrder& order, Signals& signals);

}  // namespace consort
