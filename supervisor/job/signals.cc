#include "supervisor/job/signals.h"

#include <unistd.h>

#include <initializer_list>

#include "supervisor/cli/exit_status.h"

namespace consort {
namespace {

void ExitOnSignal(int number) { _exit(SignalExitStatus(number)); }

}  // namespace

void SetUpSignals() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would have the kernel reap our children
  const sigset_t stops = StopSignals();
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    if (sigismember(&stops, number) == 1) signal(number, ExitOnSignal);
  }
}

}  // namespace consort
