// How many descriptors a process may have open.
#include "supervisor/fleet/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace consort {
namespace {

class DescriptorLimit : public ::testing::Test {
 protected:
  DescriptorLimit() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorLimit() override { setrlimit(RLIMIT_NOFILE, &before_); }

  static rlimit Now() {
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    return now;
  }

  rlimit before_{};
};

TEST_F(DescriptorLimit, IsRaisedAsFarAsItMayAndTellsWhatItWas) {
  SetDescriptorLimit(100);
  ASSERT_EQ(Now().rlim_cur, 100u);
  EXPECT_EQ(RaiseDescriptorLimit(150), 100u);
  EXPECT_EQ(Now().rlim_cur, 150u);
  EXPECT_EQ(RaiseDescriptorLimit(120), 150u);
  EXPECT_EQ(Now().rlim_cur, 150u) << "it is never lowered";
  SetDescriptorLimit(0);
  EXPECT_EQ(Now().rlim_cur, 150u);
  SetDescriptorLimit(size_t{1} << 60);
  EXPECT_EQ(Now().rlim_cur, before_.rlim_max);
  EXPECT_EQ(Now().rlim_max, before_.rlim_max);
}

TEST_F(DescriptorLimit, OfAWorkerHasRoomForAllThatItsEnginesOpen) {
  EXPECT_EQ(WorkerDescriptors(1024, 1), 1024u);
  EXPECT_EQ(WorkerDescriptors(20'000, 115), 20'000u);
  EXPECT_GE(WorkerDescriptors(1024, 115), 115u * 9 + 64);
  EXPECT_EQ(WorkerDescriptors(0, 115), 0u) << "not known: left alone";
}

}  // namespace
}  // namespace consort
