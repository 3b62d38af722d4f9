// Which splits are worth a trial on a machine, and what is guessed of each before any of them ran.
//
// Totals of threads around what the machine has, each cut into processes x threads: from one thread
// a process to one process a NUMA node. A worker never spans nodes. What `run` would choose by
// itself is always the first. Guesses order trials and leave out what is hopeless; what was
// measured decides.
#pragma once

#include <string>
#include <vector>

#include "supervisor/cli/options.h"
#include "supervisor/place/machine.h"
#include "supervisor/place/placement.h"

namespace consort {

struct Candidate {
  Split split;
  int intra = 1;           // LibTorch threads an engine
  bool automatic = false;  // the split of `run` without a profile
  double rate = 1;         // guessed segments in a unit of time; only ratios mean something
  double latency = 1;      // guessed time of a segment, likewise
  double peak_bytes = 0;   // guessed memory of the whole tree

  int engines() const { return split.workers * split.engines; }
};

// `machine` fitted to its quota. `automatic`: what `run` would choose.
std::vector<Candidate> ListCandidates(const Machine& machine, const MemoryNeed& need,
                                      TuneOptions::Objective objective, const Split& automatic);

// "2 processes x 1 thread", "1 process x 1 thread x 2 LibTorch threads".
std::string SplitWords(const Split& split, int intra);
// "2 x 1", "1 x 1 x 2".
std::string ShortSplitWords(const Split& split, int intra);

}  // namespace consort
