#include "supervisor/tune/signals.h"

#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

#include "supervisor/job/signals.h"

namespace consort {

Result<Signals> Signals::Watch() {
  const sigset_t watched = StopSignals();
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  Signals signals;
  signals.fd_ = UniqueFd(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.fd_) return SystemError("watch for signals", "", errno);
  return signals;
}

int Signals::Take() {
  signalfd_siginfo came{};
  return read(fd_.get(), &came, sizeof(came)) == sizeof(came) ? static_cast<int>(came.ssi_signo)
                                                              : 0;
}

}  // namespace consort
