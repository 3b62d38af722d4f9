// How the supervisor asks a worker for the stack of one of its engines: by a signal to the process
// whose value is the engine's index. The worker's main thread passes it on to the engine's thread,
// which writes its stack to standard error; then `dumps` in the channel's header goes up by one.
// A worker that is stopped, or whose engine cannot take a signal, gives none: nobody relies on it.
//
// Only for workers that are ready: before, nobody answers. The signal is blocked from the process's
// first moment on, so in every thread that a model starts, too: one without the block would take
// it, and that would end the process.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>

namespace consort {

inline int DumpRequestSignal() { return SIGRTMIN + 6; }  // blocked, read from a signalfd
inline int DumpSignal() { return SIGRTMIN + 7; }         // to the engine's thread alone

inline sigset_t DumpRequestSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, DumpRequestSignal());
  return set;
}

inline void RequestDump(int pidfd, uint32_t engine) {
  siginfo_t info{};
  info.si_signo = DumpRequestSignal();
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_int = static_cast<int>(engine);
  syscall(SYS_pidfd_send_signal, pidfd, info.si_signo, &info, 0);
}

}  // namespace consort
