#include <gtest/gtest.h>

#include "supervisor/loop/stop_signals.h"

namespace consort {
namespace {

TEST(StopRequests, WaitUntilTheyAreTaken) {
  StopRequests requests;
  EXPECT_EQ(requests.Take(), 0);
  raise(SIGTERM);
  raise(SIGINT);
  EXPECT_EQ(requests.Take(), SIGINT) << "the lower number first";
  EXPECT_EQ(requests.Take(), SIGTERM);
  EXPECT_EQ(requests.Take(), 0);
}

TEST(StopRequests, EndAgainWhomeverTheyEndedBefore) {
  { const StopRequests requests; }
  EXPECT_EXIT(raise(SIGTERM), testing::KilledBySignal(SIGTERM), "");
}

TEST(StopSignals, LeaveOutWhatIsIgnored) {
  signal(SIGHUP, SIG_IGN);
  const sigset_t set = StopSignals();
  EXPECT_EQ(sigismember(&set, SIGHUP), 0);
  EXPECT_EQ(sigismember(&set, SIGINT), 1);
  signal(SIGHUP, SIG_DFL);
}

}  // namespace
}  // namespace consort
