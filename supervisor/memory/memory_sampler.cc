#include "supervisor/memory/memory_sampler.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "shared/base/clock.h"
#include "supervisor/memory/process_memory.h"

namespace consort {
namespace {

int64_t ThreadCpuNs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t PauseAfterRoundNs(int64_t cost_ns, int64_t least_ns, int64_t pause_to_cost) {
  return std::max(least_ns, cost_ns * pause_to_cost);
}

MemorySampler::MemorySampler(Settings settings) : settings_(std::move(settings)) {
  // A thread starts with its maker's mask: no signal of the job may land here.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void MemorySampler::Watch(std::vector<WatchedProcess> processes) {
  const std::lock_guard lock(mutex_);
  processes_ = std::move(processes);
}

bool MemorySampler::Take(MemorySample& sample) {
  const std::lock_guard lock(mutex_);
  if (!fresh_) return false;
  fresh_ = false;
  sample = std::move(sample_);
  return true;
}

void MemorySampler::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MemorySampler::Run() {
  ::pthread_setname_np(::pthread_self(), "consort-memory");
  int64_t pause_ns = settings_.first_ns;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::nanoseconds(pause_ns), [this] { return stop_; })) {
    const std::vector<WatchedProcess> processes = processes_;
    lock.unlock();
    int64_t cost_ns = 0;
    MemorySample sample = Round(processes, cost_ns);
    pause_ns = PauseAfterRoundNs(cost_ns, settings_.pause_ns, kPauseToCost);
    lock.lock();
    sample_ = std::move(sample);
    fresh_ = true;
  }
}

MemorySample MemorySampler::Round(const std::vector<WatchedProcess>& processes, int64_t& cost_ns) {
  MemorySample sample;
  const int64_t began_ns = ThreadCpuNs();
  std::vector<int64_t> anonymous;
  anonymous.reserve(processes.size());
  for (const auto& it : processes) {
    anonymous.push_back(ReadAnonymousBytes(settings_.proc, it.pid));
  }
  cost_ns = ThreadCpuNs() - began_ns;
  for (size_t i = 0; i < processes.size(); ++i) {
    const auto& it = processes[i];
    if (it.worker == 0) continue;
    sample.workers.push_back({.worker = it.worker, .anonymous_bytes = anonymous[i]});
    if (anonymous[i] <= it.exact_above_bytes) continue;
    sample.workers.back().private_bytes = ReadRolledUp(settings_.proc, it.pid).private_bytes;
  }
  const int64_t own = OwnBytes(processes, anonymous);
  if (!processes.empty() && MonotonicNs() >= next_full_ns_) {
    const int64_t start_ns = ThreadCpuNs();
    full_bytes_ = FullRound(processes);
    own_at_full_ = own;
    ++full_rounds_;
    next_full_ns_ =
        MonotonicNs() + PauseAfterRoundNs(ThreadCpuNs() - start_ns, settings_.least_full_pause_ns,
                                          settings_.full_pause_to_cost);
    // This thread alone writes it.
    peak_bytes_.store(std::max(peak_bytes(), full_bytes_), std::memory_order_relaxed);
  }
  sample.full_rounds = full_rounds_;
  if (full_rounds_ > 0) sample.tree_bytes = std::max<int64_t>(0, full_bytes_ + own - own_at_full_);
  return sample;
}

int64_t MemorySampler::FullRound(const std::vector<WatchedProcess>& processes) {
  int64_t bytes = 0;
  for (const auto& it : processes) bytes += ReadRolledUp(settings_.proc, it.pid).pss_bytes;
  return bytes;
}

// A worker's anonymous memory begins with what it shares with its template.
int64_t MemorySampler::OwnBytes(const std::vector<WatchedProcess>& processes,
                                const std::vector<int64_t>& anonymous) const {
  int64_t shared = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < processes.size(); ++i) {
    if (processes[i].worker != 0) continue;
    bytes += anonymous[i];
    if (processes[i].is_template) shared = std::max(shared, anonymous[i]);
  }
  for (size_t i = 0; i < processes.size(); ++i) {
    if (processes[i].worker != 0) bytes += std::max<int64_t>(0, anonymous[i] - shared);
  }
  return bytes;
}

}  // namespace consort
