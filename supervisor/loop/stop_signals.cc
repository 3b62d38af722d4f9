#include "supervisor/loop/stop_signals.h"

#include <ctime>
#include <initializer_list>

namespace consort {

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

StopRequests::StopRequests() : signals_(StopSignals()) {
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

StopRequests::~StopRequests() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

int StopRequests::Take() {
  const timespec now{};
  const int number = sigtimedwait(&signals_, nullptr, &now);
  return number > 0 ? number : 0;
}

}  // namespace consort
