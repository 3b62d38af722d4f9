// When all processes together have too much memory, and what is done about it. Figures in, steps
// out: no process is touched here. docs/placement.md has the rules in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "supervisor/memory/memory_sampler.h"

namespace consort {

struct TreeLimit {
  int64_t bytes = 0;      // Pss of all; 0: none
  int64_t end_bytes = 0;  // beyond this a worker that stands out is not waited for
  std::string name;       // for a person: "--memory-limit 4G"
};

class TreeMemory {
 public:
  // Below the limit for so long, it counts as held.
  static constexpr int64_t kHeldNs = 60'000'000'000;
  // For so long at least it is waited for a worker that was to be replaced. If it has not come to
  // its end by then, and all together are beyond `end_bytes`, it is ended if it stands out;
  // otherwise it may take its time, and what the limit asks for next is done meanwhile.
  static constexpr int64_t kPatienceNs = 10'000'000'000;
  // Or longer, by what the segments of one forward usually take, read and all; 0: not known.
  static int64_t PatienceNs(int64_t forward_ns);

  enum class Step {
    kNone,
    kReplaceLargest,  // once it has finished its tasks
    kOneFewer,        // the same, but nobody takes its place
    kEndLargest,      // now: what it is at is to blame
    kTell,            // one worker is left, and it goes on; told once
  };

  explicit TreeMemory(TreeLimit limit) : limit_(std::move(limit)) {}

  bool watches() const { return limit_.bytes > 0; }
  const TreeLimit& limit() const { return limit_; }

  // `workers`: how many there are to be. `settled`: all of them run, none is to be replaced.
  // `forward_ns`: what the segments of one forward usually take, read and all; 0: not known.
  // `usual_bytes`: what a worker has to itself in ordinary work; nobody who has less stands out.
  Step Judge(const MemorySample& sample, int workers, bool settled, int64_t forward_ns,
             int64_t now_ns, int64_t usual_bytes = 0);
  // Of the step that Judge has told: the worker that it is about.
  uint64_t subject() const { return last_; }

 private:
  bool IsSettled(const MemorySample& sample, bool settled, int64_t now_ns);
  bool IsToEnd(const MemorySample& sample, int64_t now_ns) const;
  Step Replace(Step step, const MemorySample& sample, const MemorySample::OfWorker* worker,
               int64_t now_ns);

  const TreeLimit limit_;
  int64_t below_since_ns_ = -1;
  int64_t patience_ns_ = kPatienceNs;
  int64_t unsettled_since_ns_ = -1;
  uint64_t full_when_settled_ = 0;  // full rounds then: the next one tells what a step gained
  bool replaced_ = false;           // the first step was taken
  uint64_t last_ = 0;               // the worker that was to be replaced
  int64_t last_ns_ = 0;             // when
  int64_t last_tree_bytes_ = 0;     // of all, then
  bool told_ = false;
};

// The sample's largest worker, by anonymous memory; nullptr: none.
const MemorySample::OfWorker* Largest(const MemorySample& sample);

}  // namespace consort
