// The peak of the memory that a set of processes holds together, each shared page counted once
// (the sum of Pss in /proc/PID/smaps_rollup).
//
// Reading it makes the kernel walk page tables, so a thread of its own does it, and seldom: it
// pauses 1000 times as long as the sample took of a CPU, and at least a second, hence at most 0.1 %
// of one CPU. All signals are blocked in that thread. The processes that are forked after it
// started must exec.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace consort {

class PssSampler {
 public:
  // The first sample comes after this time.
  static constexpr int64_t kFirstNs = 300'000'000;
  static constexpr int64_t kLeastPauseNs = 1'000'000'000;
  static constexpr int64_t kPauseToCost = 1000;

  // `proc` is for tests.
  explicit PssSampler(int64_t first_ns = kFirstNs, std::string proc = "/proc");
  ~PssSampler() { Stop(); }
  PssSampler(const PssSampler&) = delete;
  PssSampler& operator=(const PssSampler&) = delete;

  // Any thread. A process that is gone counts as nothing.
  void SetPids(std::vector<pid_t> pids);
  int64_t peak_bytes() const { return peak_bytes_.load(std::memory_order_relaxed); }
  uint64_t samples() const { return samples_.load(std::memory_order_relaxed); }
  // Returns once the thread is gone: at once, or after the sample under way.
  void Stop();

 private:
  void Run(int64_t first_ns);

  const std::string proc_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;        // under mutex_
  std::vector<pid_t> pids_;  // under mutex_
  std::atomic<int64_t> peak_bytes_{0};
  std::atomic<uint64_t> samples_{0};
  std::thread thread_;
};

// The pause after a sample that took this much CPU time.
int64_t PauseAfterSampleNs(int64_t cost_ns);
// Pss of one process in bytes; 0 if it is gone or may not be read.
int64_t ReadPssBytes(const std::string& proc, pid_t pid);

}  // namespace consort
