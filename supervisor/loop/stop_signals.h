// The signals that ask a command for its end.
#pragma once

#include <signal.h>

namespace consort {

// SIGINT, SIGTERM and SIGHUP, but for those that nohup, or a script's `&`, has us ignore.
sigset_t StopSignals();

// While it lives, these signals end nobody: they wait, and can be asked for between two steps of
// something that is to be left in order.
class StopRequests {
 public:
  StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;
  ~StopRequests();

  // The number of one that waits, or 0. It is left waiting no longer.
  int Take();

 private:
  sigset_t signals_;
  sigset_t before_;
};

}  // namespace consort
