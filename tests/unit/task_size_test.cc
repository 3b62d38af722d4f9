#include "supervisor/plan/task_size.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr double kPlenty = 1e9;

TEST(TaskSize, IsAGuessBeforeAnythingIsKnown) {
  EXPECT_EQ(TaskSize().Next(kPlenty, 8), TaskSize::kFirstGuess);
  EXPECT_EQ(TaskSize().segments_per_file(), 1.0);
}

TEST(TaskSize, IsTheSegmentsThatTakeAsLongAsATaskShould) {
  TaskSize size;
  size.TaskEnded(100 * kMs, 1);
  EXPECT_EQ(size.Next(kPlenty, 8), 15U);
}

TEST(TaskSize, IsAtLeastOneAndAtMostWhatARecordAndASliceBear) {
  TaskSize slow;
  slow.TaskEnded(60'000 * kMs, 1);
  EXPECT_EQ(slow.Next(kPlenty, 8), 1U);
  TaskSize fast;
  fast.TaskEnded(1, 1000);
  EXPECT_EQ(fast.Next(kPlenty, 8), TaskSize::kMostSegments);
  EXPECT_EQ(fast.Next(0, 8), 1U);
  EXPECT_EQ(fast.Next(5, 0), 1U);
}

TEST(TaskSize, ShrinksTowardsTheEndSoThatEnginesEndTogether) {
  TaskSize size;
  size.TaskEnded(1 * kMs, 1);
  EXPECT_EQ(size.Next(kPlenty, 4), 1500U);
  EXPECT_EQ(size.Next(1200, 4), 100U);
  EXPECT_EQ(size.Next(120, 4), 10U);
  EXPECT_EQ(size.Next(3, 4), 1U);
}

TEST(TaskSize, FollowsWhatSegmentsCost) {
  TaskSize size;
  size.TaskEnded(10 * kMs, 1);
  for (int i = 0; i < 50; ++i) size.TaskEnded(1000 * kMs, 10);
  EXPECT_EQ(size.Next(kPlenty, 1), 15U);
}

TEST(TaskSize, LearnsNothingFromATaskWithoutResults) {
  TaskSize size;
  size.TaskEnded(100 * kMs, 1);
  size.TaskEnded(5000 * kMs, 0);
  EXPECT_EQ(size.Next(kPlenty, 1), 15U);
}

TEST(TaskSize, KnowsHowManySegmentsAFileHasOnAverage) {
  TaskSize size;
  size.FileKnown(1);
  size.FileKnown(9);
  EXPECT_EQ(size.segments_per_file(), 5.0);
}

}  // namespace
}  // namespace consort
