#include "worker/engine/stack_dump.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "shared/channel/dump_request.h"

namespace consort {
namespace {

constexpr int kMostFrames = 64;

std::atomic<uint32_t>* g_dumps = nullptr;  // the handler's way to the channel

void WriteStack(int) {
  const int kept = errno;
  void* frames[kMostFrames];
  const int count = backtrace(frames, kMostFrames);
  backtrace_symbols_fd(frames, count, STDERR_FILENO);
  g_dumps->fetch_add(1, std::memory_order_release);
  errno = kept;
}

}  // namespace

// The first call loads libgcc_s, which no handler may do.
void PrepareStackDumps() {
  void* frames[1];
  backtrace(frames, 1);
}

StackDumps::StackDumps(Channel& channel) : channel_(channel), threads_(channel.engine_count()) {
  g_dumps = &channel.header().dumps;
  PrepareStackDumps();
  struct sigaction action {};
  action.sa_handler = WriteStack;
  action.sa_flags = SA_RESTART;
  sigaction(DumpSignal(), &action, nullptr);
  const sigset_t requests = DumpRequestSet();
  requests_ = UniqueFd(signalfd(-1, &requests, SFD_CLOEXEC | SFD_NONBLOCK));
}

void StackDumps::IAm(uint32_t engine) { threads_[engine].store(gettid()); }

void StackDumps::Answer() {
  signalfd_siginfo asked{};
  while (read(requests_.get(), &asked, sizeof(asked)) == static_cast<ssize_t>(sizeof(asked))) {
    const auto engine = static_cast<uint32_t>(asked.ssi_int);
    if (engine >= threads_.size() || threads_[engine].load() == 0) continue;
    const auto& state = channel_.state(engine);
    const uint64_t stage = state.stage.load(std::memory_order_relaxed);
    char line[160];
    const int size = std::snprintf(
        line, sizeof(line), "consort-worker %d: engine %u hangs in stage %s; its stack:\n",
        getpid(), engine, stage < kStageCount ? StageName(static_cast<Stage>(stage)) : "unknown");
    [[maybe_unused]] const auto written = write(STDERR_FILENO, line, static_cast<size_t>(size));
    syscall(SYS_tgkill, getpid(), threads_[engine].load(), DumpSignal());
  }
}

}  // namespace consort
