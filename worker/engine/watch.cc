#include "worker/engine/watch.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "worker/engine/engine.h"

namespace consort {
namespace {

constexpr int kExitEngineFailed = 1;

void PinTo(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  // A refusal (a CPU taken away meanwhile) costs speed, not results.
  sched_setaffinity(0, sizeof(set), &set);
}

[[noreturn]] void Die(const Error& error) {
  static std::mutex once;  // one message, also if several engines fail at the same time
  once.lock();
  const std::string line = "consort-worker: " + error.Sentence() + "\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
  _exit(kExitEngineFailed);
}

void RunEngine(const WorkerLife& life, uint32_t index, std::latch& ready) {
  pthread_setname_np(pthread_self(), ("engine-" + std::to_string(index)).c_str());
  if (life.intra == 1) PinTo(life.channel->config(index).cpu);
  Engine engine(*life.channel, index, life.wake_fd);
  auto pipeline = life.factory->Make(engine.clock());
  if (!pipeline) Die(pipeline.error());
  ready.count_down();
  const Status ended = engine.Run(*pipeline.value());
  Die(ended.error());
}

}  // namespace

void LiveAsWorker(const WorkerLife& life) {
  std::latch ready(life.channel->engine_count());
  std::vector<std::thread> engines;
  for (uint32_t i = 0; i < life.channel->engine_count(); ++i) {
    engines.emplace_back(RunEngine, std::cref(life), i, std::ref(ready));
  }
  ready.wait();
  life.channel->header().ready.store(1, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(life.wake_fd, &one, sizeof(one));
  pollfd supervisor{life.supervisor_pidfd, POLLIN, 0};
  while (poll(&supervisor, 1, -1) < 0 && errno == EINTR) {
  }
  _exit(0);
}

}  // namespace consort
