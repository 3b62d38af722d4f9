#include <gtest/gtest.h>

#include "supervisor/loop/stop_signals.h"

namespace consort {
namespace {

// Whoever starts the tests may ignore some: nohup, or a script's `&`.
class StopSignalsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const int number : {SIGHUP, SIGINT, SIGTERM}) signal(number, SIG_DFL);
  }
};

TEST_F(StopSignalsTest, RequestsWaitUntilTheyAreTaken) {
  StopRequests requests;
  EXPECT_EQ(requests.Take(), 0);
  raise(SIGTERM);
  raise(SIGINT);
  EXPECT_EQ(requests.Take(), SIGINT) << "the lower number first";
  EXPECT_EQ(requests.Take(), SIGTERM);
  EXPECT_EQ(requests.Take(), 0);
}

TEST_F(StopSignalsTest, RequestsEndAgainWhomeverTheyEndedBefore) {
  { const StopRequests requests; }
  EXPECT_EXIT(raise(SIGTERM), testing::KilledBySignal(SIGTERM), "");
}

TEST_F(StopSignalsTest, LeaveOutWhatIsIgnored) {
  signal(SIGHUP, SIG_IGN);
  const sigset_t set = StopSignals();
  EXPECT_EQ(sigismember(&set, SIGHUP), 0);
  EXPECT_EQ(sigismember(&set, SIGINT), 1);
  signal(SIGHUP, SIG_DFL);
}

}  // namespace
}  // namespace consort
