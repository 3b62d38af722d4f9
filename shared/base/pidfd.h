// A process by descriptor: it stays the same process, whatever becomes of the number.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace consort {

// -1 and errno if it cannot be had. The process must not have been reaped.
inline int PidfdOpen(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

// SIGKILL. One that is gone already stays gone.
inline void PidfdKill(int pidfd) { syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0); }

}  // namespace consort
