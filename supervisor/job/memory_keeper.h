// Keeps workers and the tree within their memory: looks at samples, has workers replaced once they
// have finished their tasks, ends one that will not wait, and tells a kill by the kernel for memory
// from others.
//
// What is decided when is in supervisor/memory/, as values; here it is done. Used by the loop's
// thread alone.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "supervisor/cli/options.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/job/retiring_workers.h"
#include "supervisor/memory/memory_sampler.h"
#include "supervisor/memory/oom_kills.h"
#include "supervisor/memory/runaway_workers.h"
#include "supervisor/memory/tree_memory.h"
#include "supervisor/memory/worker_memory.h"

namespace consort {

class MemoryKeeper {
 public:
  // To the job.
  struct Say {
    std::function<void(const std::string&)> always;
    std::function<void(const std::string&)> verbose;  // for those who asked
    std::function<void(const Error&)> failed;         // it cannot go on
    std::function<void(int64_t)> sampled;             // Pss of all, as it was just now
    // The tree is above its limit, as `found` has it in words. True: more workers than at the start
    // were at work, and are ended; that comes before all else.
    std::function<bool(const std::string& found)> limit_reached;
  };

  // All of them outlive this.
  MemoryKeeper(const RunOptions& options, TreeLimit limit, Fleet& fleet, Dispatcher& dispatcher,
               RetiringWorkers& retiring, Say say);

  void Ready(const Worker& worker, int64_t now_ns);
  void Gone(const Worker& worker);
  // What the death of a worker or a template really was. Once for each.
  Death Explained(Death death, int64_t now_ns);
  // Some process has come or gone.
  void Changed() { watch_again_ = true; }
  // Now and then, and when urgent_fd() is readable (-1: it never is): samples that tell of too much
  // do not wait.
  void Tick(int64_t now_ns);
  int urgent_fd() const { return sampler_.urgent_fd(); }
  void Stop() { sampler_.Stop(); }

  int64_t peak_pss_bytes() const { return sampler_.peak_bytes(); }

 private:
  void Watch();
  void JudgeWorker(const MemorySample::OfWorker& sample, int64_t now_ns);
  void JudgeTree(MemorySample& sample, int64_t now_ns);
  int64_t UsualBytes() const;
  bool EndRunaways(const MemorySample& sample, int64_t now_ns);
  void DropEnded(MemorySample& sample) const;
  std::string TooMuchWords(int64_t bytes) const;
  std::string AboveLimitWords(int64_t tree_bytes) const;
  void Retire(const Worker& worker);
  void End(Worker& worker, const std::string& words);

  const TreeLimit limit_;
  Fleet& fleet_;
  Dispatcher& dispatcher_;
  RetiringWorkers& retiring_;
  const Say say_;
  const bool forks_;  // workers share what their template holds; else each is a process by itself
  const std::string finishes_;  // before it is replaced
  const int most_ended_;
  WorkerMemory workers_;
  TreeMemory tree_;
  RunawayWorkers runaways_;
  int64_t warm_up_bytes_ = 0;  // the most that a template took, the forward of its warm-up included
  int64_t engines_ = 1;        // of a worker
  OomKills oom_kills_;
  int64_t next_look_ns_ = 0;
  bool watch_again_ = true;
  uint64_t full_rounds_ = 0;          // that were told
  std::set<uint64_t> ended_;          // for their memory; not gone yet
  int ended_in_a_row_ = 0;            // without progress in between
  uint64_t progress_at_end_ = 0;      // when the last one was ended
  const uint64_t segments_at_start_;  // done in earlier runs
  MemorySampler sampler_;
};

}  // namespace consort
