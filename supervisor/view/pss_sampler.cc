#include "supervisor/view/pss_sampler.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>

#include "shared/base/unique_fd.h"

namespace consort {
namespace {

int64_t ThreadCpuNs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t PauseAfterSampleNs(int64_t cost_ns) {
  return std::max(PssSampler::kLeastPauseNs, cost_ns * PssSampler::kPauseToCost);
}

int64_t ReadPssBytes(const std::string& proc, pid_t pid) {
  const std::string path = proc + '/' + std::to_string(pid) + "/smaps_rollup";
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  char text[4096];  // it has some 25 short lines, Pss among the first
  const ssize_t got = ::read(fd.get(), text, sizeof(text));
  if (got <= 0) return 0;
  std::string_view rest(text, static_cast<size_t>(got));
  constexpr std::string_view kKey = "\nPss:";
  const size_t at = rest.find(kKey);
  if (at == std::string_view::npos) return 0;
  rest.remove_prefix(at + kKey.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  int64_t kib = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), kib);
  return kib * 1024;
}

PssSampler::PssSampler(int64_t first_ns, std::string proc) : proc_(std::move(proc)) {
  // A thread starts with its maker's mask: no signal of the job may land here.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, first_ns] { Run(first_ns); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void PssSampler::SetPids(std::vector<pid_t> pids) {
  const std::lock_guard lock(mutex_);
  pids_ = std::move(pids);
}

void PssSampler::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void PssSampler::Run(int64_t first_ns) {
  ::pthread_setname_np(::pthread_self(), "consort-memory");
  int64_t pause_ns = first_ns;
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::nanoseconds(pause_ns), [this] { return stop_; })) {
    const std::vector<pid_t> pids = pids_;
    lock.unlock();
    const int64_t start_ns = ThreadCpuNs();
    int64_t sum_bytes = 0;
    for (const pid_t pid : pids) sum_bytes += ReadPssBytes(proc_, pid);
    pause_ns = PauseAfterSampleNs(ThreadCpuNs() - start_ns);
    // This thread alone writes them.
    peak_bytes_.store(std::max(peak_bytes(), sum_bytes), std::memory_order_relaxed);
    samples_.store(samples() + 1, std::memory_order_relaxed);
    lock.lock();
  }
}

}  // namespace consort
