#include "supervisor/job/signals.h"

#include <unistd.h>

#include <initializer_list>

#include "supervisor/cli/exit_status.h"

namespace consort {
namespace {

void ExitOnSignal(int number) { _exit(SignalExitStatus(number)); }

}  // namespace

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

void SetUpSignals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would have the kernel reap our children
  const sigset_t stops = StopSignals();
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    if (sigismember(&stops, number) == 1) signal(number, ExitOnSignal);
  }
}

}  // namespace consort
