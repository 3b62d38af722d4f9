#include "supervisor/job/wake_net.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(WakeNet, ResultsThatLieForAWholeTickAreALostWakeUp) {
  WakeNet net;
  EXPECT_FALSE(net.Look(1, true)) << "its wake-up may be on its way";
  EXPECT_TRUE(net.Look(1, true));
  EXPECT_EQ(net.lost(), 1u);
  EXPECT_FALSE(net.Look(1, true)) << "caught: it begins anew";
}

TEST(WakeNet, AWakeUpInBetweenIsNone) {
  WakeNet net;
  EXPECT_FALSE(net.Look(1, true));
  net.Forget(1);
  EXPECT_FALSE(net.Look(1, true));
  EXPECT_FALSE(net.Look(1, false)) << "it was read";
  EXPECT_FALSE(net.Look(1, true));
  EXPECT_EQ(net.lost(), 0u);
}

TEST(WakeNet, KeepsWorkersApart) {
  WakeNet net;
  EXPECT_FALSE(net.Look(1, true));
  EXPECT_FALSE(net.Look(2, true));
  EXPECT_TRUE(net.Look(2, true));
  EXPECT_TRUE(net.Look(1, true));
}

}  // namespace
}  // namespace consort
