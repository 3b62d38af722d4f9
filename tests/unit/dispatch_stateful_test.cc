// Jobs of models that keep state from segment to segment: a file is in one hand, in order, and
// stays where the state is.
#include <algorithm>

#include "dispatch_world.h"

namespace consort::test {
namespace {

uint64_t SegmentsOf(const World& world) {
  uint64_t all = 0;
  for (const auto& file : world.files()) all += file.segments;
  return all;
}

TEST(DispatchStateful, CalmJobsOfLongFilesDoNothingTwice) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    // 300 s of work each: every one has its engine end many tasks early.
    World world(PlainFiles(7, 3000), {.seed = seed, .workers = 2, .engines = 2, .stateful = true});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_EQ(world.caught_up(), 0U);
  }
}

TEST(DispatchStateful, JobsOfFilesOfAnyLengthDoLittleTwice) {
  for (uint64_t seed = 1; seed <= 20 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = PlainFiles(200, 1);
    for (auto& file : files) file.segments = 1 + random() % (random() % 20 == 0 ? 3000 : 40);
    World world(std::move(files), {.seed = seed, .workers = 3, .engines = 2, .stateful = true});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_LT(world.caught_up(), SegmentsOf(world) / 10);
  }
}

TEST(DispatchStateful, AKillCostsNoMoreThanWhatWasOpenOnItsEngines) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(PlainFiles(6, 1000), {.seed = seed,
                                      .workers = 2,
                                      .engines = 2,
                                      .stateful = true,
                                      .kill_chance = 0.001,
                                      .most_kills = 8});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    const auto kills = static_cast<uint64_t>(world.kills());
    EXPECT_LE(world.caught_up(), kills * 2 * 1000);
  }
}

TEST(DispatchStateful, WorkersThatAreReplacedAfterTheirFilesCostNothingTwice) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(
        PlainFiles(20, 500),
        {.seed = seed, .workers = 2, .engines = 2, .stateful = true, .replace_chance = 0.001});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_GT(world.replaced(), 1);
    EXPECT_EQ(world.caught_up(), 0U);
  }
}

TEST(DispatchStateful, ReplacementsAmongDeathsAndSuspectsEndTheJob) {
  for (uint64_t seed = 1; seed <= 40 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto files = PlainFiles(30, 100);
    files[seed % 7].guilty = {seed};
    files[10].lying = {seed % 3};
    World world(std::move(files), {.seed = seed,
                                   .workers = 3,
                                   .engines = 2,
                                   .stateful = true,
                                   .kill_chance = 0.001,
                                   .most_kills = 8,
                                   .crash_chance = 0.001,
                                   .most_crashes = 2,
                                   .replace_chance = 0.005});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_GT(world.replaced(), 1);
  }
}

TEST(DispatchStateful, TasksTakeSeveralShortFilesAndEnginesTwoOfThem) {
  World world(PlainFiles(2000, 3),
              {.workers = 2, .engines = 2, .stateful = true, .segment_ns = 10'000'000});
  world.Run();
  EXPECT_EQ(world.sink().text(), world.Expected());
  size_t most = 0;
  for (const auto& task : world.handed_out()) most = std::max(most, task.items.size());
  EXPECT_GE(most, 30U);
  EXPECT_LT(world.handed_out().size(), 300U);
  EXPECT_EQ(world.caught_up(), 0U);
}

// By hand; segments cost nothing, so that nothing is known of what they cost.
class StatefulByHand : public ::testing::Test {
 protected:
  StatefulByHand() { Begin(PlainFiles(2, 100)); }

  void Begin(std::vector<WorldFile> files) {
    files_ = std::move(files);
    list_ = MakeList(files_);
    dispatcher_ = std::make_unique<Dispatcher>(DispatchSettings{.attempts = 2,
                                                                .segment_ns = kSegmentNs,
                                                                .hop_ns = kSegmentNs,
                                                                .labels = kLabels,
                                                                .stateful = true},
                                               *list_, sink_);
  }
  std::optional<Task> Next(uint64_t worker, uint32_t engine = 0) {
    auto task = dispatcher_->NextTask(worker, engine);
    EXPECT_TRUE(task);
    return task.value();
  }
  void Tell(uint64_t worker, const ResultRecord& record, uint32_t engine = 0) {
    bool honest = false;
    EXPECT_TRUE(dispatcher_->OnRecord(worker, engine, record, honest));
    EXPECT_TRUE(honest);
  }
  // Of the task's first item, so many segments, then the task's end.
  void Work(uint64_t worker, const Task& task, uint64_t most) {
    const auto& item = task.items[0];
    Tell(worker, InfoOf(files_[item.file], item.file));
    for (uint64_t k = 0; k < most; ++k) Tell(worker, TagsOf(item.file, item.first_segment + k));
    Tell(worker, TaskDone{task.id, {}});
  }
  void Die(uint64_t worker, bool crashed) {
    ASSERT_TRUE(dispatcher_->RemoveWorker(worker, crashed ? Ending::kCrashed : Ending::kKilled,
                                          {"was ended by SIGBUS"}, {{"forward"}}));
  }

  std::vector<WorldFile> files_;
  std::unique_ptr<FileList> list_;
  LineSink sink_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(StatefulByHand, AFileIsGivenToItsEndAndGoesOnWhereItBegan) {
  dispatcher_->AddWorker(1, 1);
  dispatcher_->AddWorker(2, 1);
  auto one = Next(1);
  ASSERT_TRUE(one);
  EXPECT_GT(one->items[0].segment_count, 100U);
  EXPECT_EQ(one->time_slice_ns, TaskSize::kOnePassSliceNs);
  EXPECT_FALSE(Next(1)) << "nothing may stand between a file's parts";
  const auto two = Next(2);
  ASSERT_TRUE(two);
  Work(2, *two, 100);
  Work(1, *one, 30);
  EXPECT_FALSE(Next(2)) << "its engine comes for it";
  one = Next(1);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->items[0].first_segment, 30U);
  EXPECT_EQ(one->items[0].segment_count, 70U);
  EXPECT_FALSE(Next(2));
  Work(1, *one, 70);
  EXPECT_TRUE(dispatcher_->AllDone());
}

TEST_F(StatefulByHand, AnIdleEngineTakesWhatAnotherLeftForAnotherFile) {
  dispatcher_->AddWorker(1, 1);
  auto one = Next(1);
  ASSERT_TRUE(one);
  Work(1, *one, 30);
  ASSERT_TRUE(dispatcher_->RemoveWorker(1, Ending::kRetired, {"is one too many"}, {{"waiting"}}));
  dispatcher_->AddWorker(2, 1);
  dispatcher_->AddWorker(3, 1);
  const auto other = Next(2);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->items[0].file, 0U) << "nobody is bound to it any more";
  EXPECT_EQ(other->items[0].first_segment, 30U);
  EXPECT_EQ(Next(3)->items[0].file, 1U);
}

TEST_F(StatefulByHand, AWorkerThatIsReplacedAfterItsFilesGoesOnToTheirEndsAndTakesNothingElse) {
  dispatcher_->AddWorker(1, 1);
  auto one = Next(1);
  ASSERT_TRUE(one);
  Work(1, *one, 30);
  dispatcher_->RetireAfterItsFiles(1);
  EXPECT_TRUE(dispatcher_->Holds(1)) << "it stands in the file";
  dispatcher_->AddWorker(2, 1);
  const auto two = Next(2);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->items[0].file, 1U) << "the other file is still its engine's";
  Work(2, *two, 100);
  EXPECT_FALSE(Next(2));
  for (const uint64_t first : {30U, 60U}) {
    one = Next(1);
    ASSERT_TRUE(one);
    ASSERT_EQ(one->items.size(), 1U);
    EXPECT_EQ(one->items[0].file, 0U);
    EXPECT_EQ(one->items[0].first_segment, first);
    Work(1, *one, first == 30 ? 30 : 40);
  }
  EXPECT_FALSE(dispatcher_->Holds(1));
  EXPECT_TRUE(dispatcher_->AllDone());
}

TEST_F(StatefulByHand, AWorkerThatIsReplacedAfterItsFilesBeginsNone) {
  dispatcher_->AddWorker(1, 2);
  auto one = Next(1);
  ASSERT_TRUE(one);
  dispatcher_->RetireAfterItsFiles(1);
  EXPECT_FALSE(Next(1, 1)) << "a new file";
  EXPECT_TRUE(dispatcher_->Holds(1));
  Work(1, *one, 100);
  EXPECT_FALSE(dispatcher_->Holds(1));
  EXPECT_FALSE(Next(1));
  EXPECT_FALSE(Next(1, 1));
}

TEST_F(StatefulByHand, AWorkerThatIsToGoAtOnceLeavesItsFileToOthers) {
  dispatcher_->AddWorker(1, 1);
  auto one = Next(1);
  ASSERT_TRUE(one);
  Work(1, *one, 30);
  dispatcher_->RetireAfterItsFiles(1);
  dispatcher_->Retire(1);
  EXPECT_FALSE(dispatcher_->Holds(1));
  EXPECT_FALSE(Next(1));
  dispatcher_->AddWorker(2, 1);
  const auto two = Next(2);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->items[0].file, 0U);
  EXPECT_EQ(two->items[0].first_segment, 30U);
}

TEST_F(StatefulByHand, AWorkerThatIsReplacedAfterItsFilesTriesNoMoreSuspects) {
  Begin(PlainFiles(1, 100));
  dispatcher_->AddWorker(1, 1);
  const auto one = Next(1);
  ASSERT_TRUE(one);
  Tell(1, InfoOf(files_[0], 0));
  for (uint64_t k = 0; k < 30; ++k) Tell(1, TagsOf(0, k));
  Die(1, true);
  dispatcher_->AddWorker(2, 1);
  const auto trial = Next(2);
  ASSERT_TRUE(trial);
  dispatcher_->RetireAfterItsFiles(2);
  EXPECT_FALSE(Next(2));
  Work(2, *trial, 1);
  EXPECT_TRUE(dispatcher_->Holds(2)) << "it stands where the rest begins";
  const auto rest = Next(2);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->items[0].first_segment, 31U);
  Work(2, *rest, 69);
  EXPECT_FALSE(dispatcher_->Holds(2));
  EXPECT_TRUE(dispatcher_->AllDone());
}

TEST_F(StatefulByHand, TellsWhoOnlyGoesThroughEarlierSegments) {
  dispatcher_->AddWorker(1, 2);
  EXPECT_FALSE(dispatcher_->OnlyCatchesUp(1)) << "it has nothing in hand";
  const auto one = Next(1);
  ASSERT_TRUE(one);
  EXPECT_FALSE(dispatcher_->OnlyCatchesUp(1)) << "nothing lies before";
  Work(1, *one, 30);
  ASSERT_TRUE(Next(1));
  EXPECT_FALSE(dispatcher_->OnlyCatchesUp(1)) << "its model stands there";
  Die(1, false);
  dispatcher_->AddWorker(2, 2);
  const auto two = Next(2);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->items[0].first_segment, 30U);
  EXPECT_TRUE(dispatcher_->OnlyCatchesUp(2));
  const auto other = Next(2, 1);
  ASSERT_TRUE(other);
  EXPECT_FALSE(dispatcher_->OnlyCatchesUp(2)) << "its other engine begins a file";
  Tell(2, InfoOf(files_[1], 1), 1);
  for (uint64_t k = 0; k < 100; ++k) Tell(2, TagsOf(1, k), 1);
  Tell(2, TaskDone{other->id, {}}, 1);
  EXPECT_TRUE(dispatcher_->OnlyCatchesUp(2));
  Tell(2, InfoOf(files_[0], 0));
  EXPECT_TRUE(dispatcher_->OnlyCatchesUp(2));
  Tell(2, TagsOf(0, 30));
  EXPECT_FALSE(dispatcher_->OnlyCatchesUp(2));
}

TEST_F(StatefulByHand, ATrialInsideAFileGoesThroughEarlierSegmentsAndIsNotForgottenIfItEnds) {
  Begin(PlainFiles(1, 100));
  dispatcher_->AddWorker(1, 1);
  ASSERT_TRUE(Next(1));
  Tell(1, InfoOf(files_[0], 0));
  for (uint64_t k = 0; k < 30; ++k) Tell(1, TagsOf(0, k));
  Die(1, true);
  dispatcher_->AddWorker(2, 1);
  ASSERT_TRUE(Next(2));
  EXPECT_TRUE(dispatcher_->OnlyCatchesUp(2));
  ASSERT_TRUE(dispatcher_->RemoveWorker(2, Ending::kRetired, {"was replaced"}, {{"forward"}}));
  EXPECT_TRUE(dispatcher_->Idle());
  const auto suspects = dispatcher_->Suspects();
  ASSERT_EQ(suspects.size(), 1U);
  EXPECT_EQ(suspects[0].segment, 30U);
}

TEST_F(StatefulByHand, TellsHowMuchMayHaveToBeDoneAgain) {
  dispatcher_->AddWorker(1, 1);
  EXPECT_EQ(dispatcher_->EarlierSegments(1, 0, 0), 0U);
  auto one = Next(1);
  ASSERT_TRUE(one);
  EXPECT_EQ(dispatcher_->EarlierSegments(1, 0, 0), 0U);
  Work(1, *one, 30);
  ASSERT_TRUE(Next(1));
  EXPECT_EQ(dispatcher_->EarlierSegments(1, 0, 0), 30U);
  EXPECT_EQ(dispatcher_->EarlierSegments(1, 0, 1), 0U) << "it is not at that file";
  EXPECT_EQ(dispatcher_->EarlierSegments(9, 0, 0), 0U);
}

TEST_F(StatefulByHand, NothingBehindASuspectIsHandedOutAndItsEngineGoesOnIfItLives) {
  dispatcher_->AddWorker(1, 1);
  const auto one = Next(1);
  ASSERT_TRUE(one);
  Tell(1, InfoOf(files_[0], 0));
  for (uint64_t k = 0; k < 30; ++k) Tell(1, TagsOf(0, k));
  Die(1, true);
  dispatcher_->AddWorker(2, 1);
  dispatcher_->AddWorker(3, 1);
  const auto trial = Next(2);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->items[0].first_segment, 30U);
  EXPECT_EQ(trial->items[0].segment_count, 1U);
  const auto other = Next(3);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->items[0].file, 1U);
  Work(3, *other, 100);
  EXPECT_FALSE(Next(3));
  Work(2, *trial, 1);
  EXPECT_FALSE(Next(3));
  const auto rest = Next(2);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->items[0].first_segment, 31U);
  EXPECT_EQ(rest->items[0].segment_count, 69U);
}

TEST_F(StatefulByHand, AGuiltySegmentEndsItsFile) {
  Begin(PlainFiles(1, 100));
  for (uint64_t worker = 1; worker <= 3; ++worker) {
    dispatcher_->AddWorker(worker, 1);
    const auto task = Next(worker);
    ASSERT_TRUE(task);
    Tell(worker, InfoOf(files_[0], 0));
    if (worker == 1) {
      for (uint64_t k = 0; k < 5; ++k) Tell(worker, TagsOf(0, k));
    }
    EXPECT_FALSE(dispatcher_->AllDone());
    Die(worker, true);
  }
  EXPECT_TRUE(dispatcher_->AllDone());
  EXPECT_EQ(dispatcher_->segments_done(), 5U);
  EXPECT_TRUE(sink_.text().ends_with(
      "f0 ends at 5, crashed: the worker was ended by SIGBUS in stage forward, 2 times while this "
      "segment was alone in it\n"));
}

TEST_F(StatefulByHand, AResumedFileGoesOnWhereItsLinesEnd) {
  ResumePoint point;
  ResumeFile open;
  open.info = InfoOf(files_[0], 0);
  open.accounted.AddRange(0, 40);
  point.open.push_back(open);
  ASSERT_TRUE(dispatcher_->Resume(point));
  dispatcher_->AddWorker(1, 1);
  const auto task = Next(1);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->items[0].first_segment, 40U);
  EXPECT_EQ(task->items[0].segment_count, 60U);
}

TEST_F(StatefulByHand, AResumedSuspectComesBeforeWhatLiesBehindIt) {
  ResumePoint point;
  ResumeFile open;
  open.info = InfoOf(files_[0], 0);
  open.accounted.AddRange(0, 40);
  point.open.push_back(open);
  point.suspects.push_back({0, 40, 1, 1});
  ASSERT_TRUE(dispatcher_->Resume(point));
  dispatcher_->AddWorker(1, 1);
  dispatcher_->AddWorker(2, 1);
  const auto trial = Next(1);
  ASSERT_TRUE(trial);
  EXPECT_EQ(trial->items[0].first_segment, 40U);
  EXPECT_EQ(trial->items[0].segment_count, 1U);
  EXPECT_EQ(Next(2)->items[0].file, 1U);
}

TEST_F(StatefulByHand, AFileThatWasHeardForLongIsBoundToItsEngine) {
  dispatcher_->AddWorker(1, 1);
  auto one = Next(1);
  ASSERT_TRUE(one);
  Tell(1, InfoOf(files_[0], 0));
  for (uint64_t k = 0; k < 30; ++k) Tell(1, TagsOf(0, k));
  TaskDone done{one->id, {}};
  done.stage_ns[static_cast<size_t>(Stage::kForward)] = 300'000'000;
  Tell(1, done);
  EXPECT_FALSE(dispatcher_->AnyBoundToItsEngine()) << "0.3 s of work";
  one = Next(1);
  ASSERT_TRUE(one);
  Tell(1, InfoOf(files_[0], 0));
  for (uint64_t k = 30; k < 60; ++k) Tell(1, TagsOf(0, k));
  done = {one->id, {}};
  done.stage_ns[static_cast<size_t>(Stage::kForward)] = 300'000'000'000;
  Tell(1, done);
  EXPECT_TRUE(dispatcher_->AnyBoundToItsEngine());
}

}  // namespace
}  // namespace consort::test
