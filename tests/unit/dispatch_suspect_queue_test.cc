// Which suspects are run together: values alone, no dispatcher.
#include <gtest/gtest.h>

#include "supervisor/dispatch/suspects.h"

namespace consort {
namespace {

std::vector<SegmentId> Segments(uint64_t count) {
  std::vector<SegmentId> segments;
  for (uint64_t i = 0; i < count; ++i) segments.push_back({i, 0});
  return segments;
}
bool Any(const SegmentId&) { return true; }

TEST(SuspectQueue, HalvesAreTakenFirstAndTheLargerOneBeforeTheOther) {
  SuspectQueue queue;
  queue.PutLast({{{9, 9}}, 2});
  queue.Halve(Segments(5));
  EXPECT_EQ(queue.Take(Any)->members, (std::vector<SegmentId>{{0, 0}, {1, 0}, {2, 0}}));
  EXPECT_EQ(queue.Take(Any)->members, (std::vector<SegmentId>{{3, 0}, {4, 0}}));
  const auto last = queue.Take(Any);
  EXPECT_TRUE(last->alone());
  EXPECT_EQ(last->deaths, 2);
  EXPECT_FALSE(queue.Take(Any));
}

TEST(SuspectQueue, OneSuspectIsAloneAndNoneIsNothing) {
  SuspectQueue queue;
  queue.Halve({});
  queue.PutFirst({});
  EXPECT_TRUE(queue.empty());
  queue.Halve(Segments(1));
  ASSERT_EQ(queue.groups().size(), 1U);
  EXPECT_TRUE(queue.groups().front().alone());
}

TEST(SuspectQueue, LeavesOutWhatNobodyWantsToKnow) {
  SuspectQueue queue;
  queue.Halve(Segments(4));
  const auto group = queue.Take([](const SegmentId& it) { return it.file == 3; });
  ASSERT_TRUE(group);
  EXPECT_EQ(group->members, (std::vector<SegmentId>{{3, 0}}));
  EXPECT_TRUE(queue.empty());
}

TEST(Trial, SharesItsMembersAmongEngines) {
  EXPECT_EQ(Trial({Segments(3)}, 4).share(), 1U);
  EXPECT_EQ(Trial({Segments(9)}, 4).share(), 3U);
  Trial trial({Segments(2)}, 1);
  EXPECT_EQ(trial.Next(), (SegmentId{0, 0}));
  EXPECT_EQ(trial.waiting(), (std::vector<SegmentId>{{1, 0}}));
  trial.Wait({0, 0});
  EXPECT_EQ(trial.waiting().size(), 2U);
  EXPECT_EQ(trial.group().members.size(), 2U);
}

TEST(SuspectQueue, GroupsComeBackFromTheJournalAsTheyWere) {
  std::vector<ResumeSuspect> rows;
  AppendSuspects({{{1, 2}}, 2}, rows);
  AppendSuspects({{{3, 4}, {5, 6}}}, rows);
  const auto groups = GroupSuspects(rows);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].members, (std::vector<SegmentId>{{1, 2}}));
  EXPECT_EQ(groups[0].deaths, 2);
  EXPECT_EQ(groups[1].members, (std::vector<SegmentId>{{3, 4}, {5, 6}}));
  EXPECT_EQ(groups[1].deaths, 0);
}

}  // namespace
}  // namespace consort
