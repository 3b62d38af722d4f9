#include "supervisor/fleet/start_limit.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

TEST(StartLimit, StopsAfterFiveFailuresInARow) {
  StartLimit limit;
  for (int i = 0; i < 4; ++i) limit.EndedUnready(false);
  EXPECT_FALSE(limit.Exhausted());
  limit.EndedUnready(false);
  EXPECT_TRUE(limit.Exhausted());
}

TEST(StartLimit, BeginsAnewWithAReadyWorker) {
  StartLimit limit;
  for (int i = 0; i < 4; ++i) limit.EndedUnready(false);
  limit.BecameReady();
  EXPECT_EQ(limit.PauseNs(), 0);
  for (int i = 0; i < 4; ++i) limit.EndedUnready(false);
  EXPECT_FALSE(limit.Exhausted());
}

TEST(StartLimit, BearsFiftyKillsInARow) {
  StartLimit limit;
  for (int i = 0; i < 49; ++i) limit.EndedUnready(true);
  EXPECT_FALSE(limit.Exhausted());
  limit.EndedUnready(true);
  EXPECT_TRUE(limit.Exhausted());
}

TEST(StartLimit, LetsEachOfThoseThatStartSideBySideRunOutOfMemoryOnceMore) {
  StartLimit limit;
  for (int i = 0; i < 5; ++i) limit.EndedForMemory();
  EXPECT_GT(limit.PauseNs(), 0);
  EXPECT_TRUE(limit.Exhausted(1));
  EXPECT_FALSE(limit.Exhausted(16));
  for (int i = 0; i < 15; ++i) limit.EndedForMemory();
  EXPECT_TRUE(limit.Exhausted(16));
  limit.BecameReady();
  EXPECT_FALSE(limit.Exhausted(16));
}

TEST(StartLimit, WaitsLongerEachTimeButNeverMoreThanASecond) {
  StartLimit limit;
  EXPECT_EQ(limit.PauseNs(), 0);
  int64_t before = 0;
  for (int i = 0; i < 49; ++i) {
    limit.EndedUnready(true);
    EXPECT_GE(limit.PauseNs(), before);
    EXPECT_GT(limit.PauseNs(), 0);
    EXPECT_LE(limit.PauseNs(), 1'000'000'000);
    before = limit.PauseNs();
  }
  EXPECT_EQ(before, StartLimit::kLongestPauseNs);
}

}  // namespace
}  // namespace consort
