// Workers that take memory without end while all processes together have too much of it: however
// many there are, and however alike. Figures in, verdicts out: no process is touched here.
// docs/placement.md has the rules in words.
//
// What tells such a worker from a model that needs more than the limit is what ordinary work takes:
// a worker may have twice that and some more, whatever the limit is. Beyond it, it is what its
// engines are at that takes the memory, and not the model.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "supervisor/memory/memory_sampler.h"
#include "supervisor/memory/tree_memory.h"

namespace consort {

class RunawayWorkers {
 public:
  struct Found {
    std::vector<uint64_t> end;     // now, the largest first
    std::vector<uint64_t> retire;  // take nothing more, and are replaced once they have finished
    // All would be within the limit without the runaways: no worker is one too many.
    bool explains = false;
  };

  explicit RunawayWorkers(const TreeLimit& limit) : limit_(limit) {}

  // `usual_bytes`: what a worker has to itself in ordinary work, on the large side. `patience_ns`:
  // how long one may take that does not grow.
  Found Judge(const MemorySample& sample, int64_t usual_bytes, int64_t patience_ns, int64_t now_ns);

  // More than this makes one of `workers` a runaway.
  int64_t Allowance(size_t workers, int64_t usual_bytes) const;

 private:
  // What a worker may have beside twice what ordinary work takes.
  int64_t More(size_t workers) const;

  struct Known {
    int64_t then_bytes = 0;   // its own, a second or two ago; 0 before it was seen
    int64_t later_bytes = 0;  // its own, at most a second ago
    int64_t later_ns = 0;
    int64_t runaway_since_ns = -1;  // -1: it is none
    bool retired = false;
  };

  const TreeLimit limit_;
  std::map<uint64_t, Known> workers_;
};

}  // namespace consort
