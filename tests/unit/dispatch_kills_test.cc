// SIGKILLs that nobody explains: one is nobody's fault, a row of them is the segment's.
#include "dispatch_world.h"
#include "supervisor/dispatch/unexplained_kills.h"

namespace consort::test {
namespace {

constexpr SegmentId kA = {1, 7};
constexpr SegmentId kB = {1, 8};
constexpr SegmentId kC = {2, 0};

TEST(UnexplainedKills, SuspectASegmentThatWasThereNineTimes) {
  UnexplainedKills kills(3);
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(kills.Count({kA}, false));
  EXPECT_FALSE(kills.Count({kB, kC}, false));
  EXPECT_TRUE(kills.Count({kB, kA}, false));
}

TEST(UnexplainedKills, TakeEveryTenthInARowOfASegmentAloneForACrash) {
  UnexplainedKills kills(3);
  for (int i = 1; i <= 30; ++i) EXPECT_EQ(kills.Count({kA}, true), i % 10 == 0) << i;
}

TEST(UnexplainedKills, BeginTheRowAnewWhenAnotherWorkerIsHit) {
  UnexplainedKills kills(3);
  for (int i = 0; i < 5; ++i) {
    for (int n = 0; n < 9; ++n) EXPECT_FALSE(kills.Count({kA}, true));
    EXPECT_FALSE(kills.Count({kC}, false));
  }
  EXPECT_FALSE(kills.Count({}, false)) << "a worker at no segment";
}

TEST(UnexplainedKills, OfAFileThatEndedAreForgotten) {
  UnexplainedKills kills(1);
  EXPECT_FALSE(kills.Count({kA}, false));
  EXPECT_FALSE(kills.Count({kA}, false));
  kills.Forget(1);
  EXPECT_FALSE(kills.Count({kA}, false));
}

class DispatchKills : public ::testing::Test {
 protected:
  std::optional<Task> Next(uint64_t worker) {
    auto task = dispatcher_.NextTask(worker, 0);
    EXPECT_TRUE(task);
    return task.value();
  }
  void Tell(uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    EXPECT_TRUE(dispatcher_.OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  }

  std::vector<WorldFile> files_ = PlainFiles(2, 1);
  std::unique_ptr<FileList> list_ = MakeList(files_);
  LineSink sink_;
  Dispatcher dispatcher_{
      {.attempts = 2, .segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels},
      *list_,
      sink_};
};

// Whatever takes it, the worker is killed: for ever, if nobody counted.
TEST_F(DispatchKills, ASegmentThatAlwaysEndsInASigkillIsGivenUp) {
  int kills = 0;
  for (uint64_t worker = 1; !dispatcher_.AllDone(); ++worker) {
    ASSERT_LT(worker, 100U);
    dispatcher_.AddWorker(worker, 1);
    auto task = Next(worker);
    while (task) {
      bool killed = false;
      for (const auto& item : task->items) {
        Tell(worker, InfoOf(files_[item.file], item.file));
        killed = item.file == 1;
        if (killed) break;
        Tell(worker, TagsOf(item.file, 0));
      }
      if (killed) break;
      Tell(worker, TaskDone{task->id, {}});
      task = Next(worker);
    }
    if (dispatcher_.AllDone()) break;
    ++kills;
    ASSERT_TRUE(
        dispatcher_.RemoveWorker(worker, Ending::kKilled, {"was ended by SIGKILL"}, {{"forward"}}));
  }
  EXPECT_EQ(kills, 3 * 2 + 10 * 2);
  EXPECT_NE(
      sink_.text().find("f1 0 crashed: the worker was ended by SIGKILL in stage forward, again "
                        "and again while this segment was alone in it\n"),
      std::string::npos)
      << sink_.text();
}

// What we end for nothing that it did is no mark against what it was at, however often.
TEST_F(DispatchKills, WorkersThatAreRetiredWithWorkInHandMakeNoSuspect) {
  uint64_t worker = 1;
  for (; worker <= 100; ++worker) {
    dispatcher_.AddWorker(worker, 1);
    ASSERT_TRUE(Next(worker)) << worker;
    ASSERT_TRUE(dispatcher_.RemoveWorker(worker, Ending::kRetired, {"ended"}, {{"forward"}}));
    ASSERT_FALSE(dispatcher_.Suspecting()) << worker;
  }
}

// A suspect whose row of kills were broken off each time would be tried for ever.
TEST_F(DispatchKills, ARetiredWorkerBreaksNoRowOfKills) {
  int kills = 0;
  while (dispatcher_.given_up() == 0) {
    ASSERT_LT(kills, 100);
    const auto killed = static_cast<uint64_t>(++kills);
    const uint64_t retired = 1000 + killed;
    dispatcher_.AddWorker(killed, 1);
    dispatcher_.AddWorker(retired, 1);
    const bool trial = dispatcher_.Suspecting();  // the first one to ask gets it
    for (const uint64_t worker : {trial ? killed : retired, trial ? retired : killed}) {
      const auto task = Next(worker);
      ASSERT_TRUE(task);
      ASSERT_EQ(task->items[0].file, worker == killed ? 1U : 0U);
    }
    ASSERT_TRUE(dispatcher_.RemoveWorker(killed, Ending::kKilled, {"was ended by SIGKILL"}, {}));
    ASSERT_TRUE(dispatcher_.RemoveWorker(retired, Ending::kRetired, {"ended"}, {}));
  }
  EXPECT_EQ(kills, 3 * 2 + 10 * 2);
}

TEST_F(DispatchKills, AWorkerThatRetiresFinishesWhatItHoldsAndTakesNothingNew) {
  files_ = PlainFiles(100, 3);
  list_ = MakeList(files_);
  Dispatcher dispatcher({.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_,
                        sink_);
  dispatcher.AddWorker(1, 1);
  const auto task = dispatcher.NextTask(1, 0).value();
  ASSERT_TRUE(task);
  dispatcher.Retire(1);
  EXPECT_FALSE(dispatcher.NextTask(1, 0).value());
  EXPECT_TRUE(dispatcher.Holds(1));
  bool honest = false;
  for (const auto& item : task->items) {
    ASSERT_TRUE(dispatcher.OnRecord(1, 0, FaultOf(item.file, 0), honest));
  }
  ASSERT_TRUE(dispatcher.OnRecord(1, 0, TaskDone{task->id, {}}, honest));
  EXPECT_TRUE(honest);
  EXPECT_FALSE(dispatcher.Holds(1));
  EXPECT_FALSE(dispatcher.NextTask(1, 0).value());
}

TEST_F(DispatchKills, ASuspectDoesNotWaitForAWorkerThatRetires) {
  dispatcher_.AddWorker(1, 1);
  dispatcher_.AddWorker(2, 1);
  ASSERT_TRUE(Next(1));
  const auto busy = Next(2);
  ASSERT_TRUE(
      dispatcher_.RemoveWorker(1, Ending::kCrashed, {"was ended by SIGBUS"}, {{"forward"}}));
  if (busy) {
    EXPECT_FALSE(Next(2)) << "kept free for the suspect";
  }
  dispatcher_.Retire(2);
  dispatcher_.AddWorker(3, 1);
  const auto trial = Next(3);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->items.size(), 1U);
}

}  // namespace
}  // namespace consort::test
