// Keeps workers and the tree within their memory: looks at samples, has workers replaced once they
// have finished their tasks, ends one that will not wait, and tells a kill by the kernel for memory
// from others.
//
// What is decided when is in supervisor/memory/, as values; here it is done. Used by the loop's
// thread alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "supervisor/cli/options.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/memory/memory_sampler.h"
#include "supervisor/memory/oom_kills.h"
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
  };

  // Fleet and dispatcher outlive this.
  MemoryKeeper(const RunOptions& options, TreeLimit limit, Fleet& fleet, Dispatcher& dispatcher,
               Say say);

  void Ready(const Worker& worker, int64_t now_ns);
  // Before its tasks are handed out again. What its death really was.
  Death Gone(const Worker& worker, const Death& death, int64_t now_ns);
  // Of a template, the same.
  Death Explained(Death death, int64_t now_ns);
  // Some process has come or gone.
  void Changed() { watch_again_ = true; }
  // Now and then.
  void Tick(int64_t now_ns);
  void Stop() { sampler_.Stop(); }

  int64_t peak_pss_bytes() const { return sampler_.peak_bytes(); }

 private:
  struct Retiring {
    bool told_to_end = false;  // it had nothing in hand any more
    bool given_up = false;     // nobody takes its place
  };

  void Watch();
  void JudgeWorker(const MemorySample::OfWorker& sample, int64_t now_ns);
  void JudgeTree(MemorySample& sample, int64_t now_ns);
  void Retire(const Worker& worker);
  void End(Worker& worker, const std::string& words);
  void EndRetired();

  const TreeLimit limit_;
  Fleet& fleet_;
  Dispatcher& dispatcher_;
  const Say say_;
  const bool forks_;  // workers share what their template holds; else each is a process by itself
  const int most_ended_;
  WorkerMemory workers_;
  TreeMemory tree_;
  OomKills oom_kills_;
  int64_t next_look_ns_ = 0;
  bool watch_again_ = true;
  uint64_t full_rounds_ = 0;  // that were told
  std::map<uint64_t, Retiring> retiring_;
  std::set<uint64_t> ended_;      // for their memory; not gone yet
  int ended_in_a_row_ = 0;        // without a segment done in between
  uint64_t segments_at_end_ = 0;  // done when the last one was ended
  MemorySampler sampler_;
};

}  // namespace consort
