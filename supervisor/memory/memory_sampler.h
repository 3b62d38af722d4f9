// A thread that looks at the memory of the job's processes.
//
// Two kinds of rounds, since exact figures are dear:
//   - cheap ones: anonymous memory of each process, from statm. At least `pause_ns` apart, and 200
//     times what the last one cost of a CPU: at most 0.5 % of one CPU with any number of workers.
//     A process that holds more than its `exact_above_bytes` is read exactly, too.
//   - full ones: Pss of each process, from smaps_rollup, for which the kernel walks page tables. At
//     least `least_full_pause_ns` apart, and `full_pause_to_cost` times their cost.
// In between, the tree's Pss is the last full round's and what the processes' own memory has grown
// by since: nothing else of theirs grows, since weights and channels are there from the start.
//
// All signals are blocked in the thread. The processes that are forked after it started must exec.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace consort {

struct WatchedProcess {
  pid_t pid = 0;
  uint64_t worker = 0;       // the fleet's number of it; 0: the supervisor, or a template
  bool is_template = false;  // what it holds, workers begin with
  int64_t exact_above_bytes = INT64_MAX;
};

struct MemorySample {
  struct OfWorker {
    uint64_t worker = 0;
    int64_t anonymous_bytes = 0;
    int64_t private_bytes = -1;  // -1: not read
    // What the sampler does not know, and whoever judges tells.
    enum class Future {
      kStays,
      kReplaced,  // it ends once it has finished its tasks, and another takes its place
      kGivenUp,   // it ends, and nobody does
    } future = Future::kStays;
  };
  std::vector<OfWorker> workers;
  int64_t tree_bytes = 0;    // Pss of all; 0: not known yet
  uint64_t full_rounds = 0;  // so far
};

class MemorySampler {
 public:
  struct Settings {
    int64_t first_ns = 300'000'000;  // until the first round
    int64_t pause_ns = 1'000'000'000;
    int64_t least_full_pause_ns = 1'000'000'000;
    int64_t full_pause_to_cost = 1000;  // 0.1 % of a CPU
    std::string proc = "/proc";         // another one for tests
  };
  static constexpr int64_t kPauseToCost = 200;

  explicit MemorySampler(Settings settings);
  MemorySampler() : MemorySampler(Settings{}) {}
  ~MemorySampler() { Stop(); }
  MemorySampler(const MemorySampler&) = delete;
  MemorySampler& operator=(const MemorySampler&) = delete;

  // Any thread. A process that is gone counts as nothing.
  void Watch(std::vector<WatchedProcess> processes);
  // The newest sample, if there is one since the last call.
  bool Take(MemorySample& sample);
  // Of full rounds.
  int64_t peak_bytes() const { return peak_bytes_.load(std::memory_order_relaxed); }
  // Returns once the thread is gone: at once, or after the round under way.
  void Stop();

 private:
  void Run();
  // `cost_ns`: of what is done in every round.
  MemorySample Round(const std::vector<WatchedProcess>& processes, int64_t& cost_ns);
  int64_t FullRound(const std::vector<WatchedProcess>& processes);
  int64_t OwnBytes(const std::vector<WatchedProcess>& processes,
                   const std::vector<int64_t>& anonymous) const;

  const Settings settings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;                      // under mutex_
  std::vector<WatchedProcess> processes_;  // under mutex_
  MemorySample sample_;                    // under mutex_
  bool fresh_ = false;                     // under mutex_
  std::atomic<int64_t> peak_bytes_{0};
  // Of the thread alone.
  int64_t next_full_ns_ = 0;
  int64_t full_bytes_ = 0;   // Pss of all in the last full round
  int64_t own_at_full_ = 0;  // OwnBytes then
  uint64_t full_rounds_ = 0;
  std::thread thread_;
};

// The pause after a round that took this much CPU time.
int64_t PauseAfterRoundNs(int64_t cost_ns, int64_t least_ns, int64_t pause_to_cost);

}  // namespace consort
