// What the program `consort` tells its caller. Ended by signal n: 128 + n.
#pragma once

namespace consort {

enum ExitStatus : int {
  kDone = 0,        // every file done; help and version too
  kFailed = 1,      // could not do the job
  kUsage = 2,       // the command line makes no sense
  kSomeFailed = 3,  // done, but some files failed; doctor: something costs speed
};

inline constexpr int SignalExitStatus(int signal_number) { return 128 + signal_number; }

}  // namespace consort
