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
#include "worker/engine/stack_dump.h"

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

void RunEngine(const WorkerLife& life, uint32_t index, StackDumps& dumps, std::latch& ready) {
  dumps.IAm(index);
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
  StackDumps dumps(*life.channel);  // requests are blocked in all threads, since WorkerMain
  std::latch ready(life.channel->engine_count());
  std::vector<std::thread> engines;
  for (uint32_t i = 0; i < life.channel->engine_count(); ++i) {
    engines.emplace_back(RunEngine, std::cref(life), i, std::ref(dumps), std::ref(ready));
  }
  ready.wait();
  life.channel->header().ready.store(1, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(life.wake_fd, &one, sizeof(one));
  pollfd events[] = {{life.supervisor_pidfd, POLLIN, 0}, {dumps.fd(), POLLIN, 0}};
  for (;;) {
    if (poll(events, 2, -1) < 0 && errno != EINTR) break;
    if (events[0].revents != 0) break;
    if (events[1].revents != 0) dumps.Answer();
  }
  _exit(0);
}

}  // namespace consort
