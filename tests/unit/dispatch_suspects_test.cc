// Whose fault a death was: a segment is guilty after `attempts` crashes while alone in a worker,
// and its neighbours lose nothing.
#include <algorithm>

#include "dispatch_world.h"

namespace consort::test {
namespace {

TEST(DispatchSuspects, InnocentsNextToAGuiltySegmentLoseNothing) {
  for (const uint32_t workers : {1U, 4U}) {
    for (const uint32_t engines : {1U, 4U}) {
      auto files = PlainFiles(30, 4);
      files[7].guilty = {2};
      World world(files, {.workers = workers, .engines = engines});
      world.Run();
      EXPECT_EQ(world.sink().text(), world.Expected());
      EXPECT_EQ(world.dispatcher().segments_done(), 30U * 4 - 1);
      const uint64_t halvings = engines == 4 ? 1 : 0;
      EXPECT_GE(world.crashes(), 4U) << "once among others, three times alone";
      EXPECT_LE(world.crashes(), 4U + halvings);
    }
  }
}

TEST(DispatchSuspects, EveryOfSeveralGuiltyInOneTaskIsFound) {
  auto files = PlainFiles(1, 200);
  files[0].guilty = {0, 5, 6, 7, 199};
  World world(files, {.workers = 1, .engines = 1, .segment_ns = 1'000'000});
  world.Run();
  EXPECT_EQ(world.sink().text(), world.Expected());
  EXPECT_EQ(world.crashes(), 5U * 4);
}

TEST(DispatchSuspects, ASegmentThatMakesItsEngineLieIsFoundThoughTheEngineGoesOn) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto files = PlainFiles(3, 40);
    files[1].lying = {0, 17, 39};
    World world(files, {.seed = seed, .workers = 2, .engines = 1, .segment_ns = 1'000'000});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_LE(world.crashes(), 3U * 4) << "seed " << seed;
  }
}

TEST(DispatchSuspects, AFileGuiltyAtItsOpeningCostsNoMoreDeathsThanASegment) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    // Asked for at once are many segments of it: none of them is a suspect of its own.
    auto files = PlainFiles(40, 30);
    files[20].guilty_open = true;
    World world(files, {.seed = seed, .workers = 6, .engines = 2, .segment_ns = 1'000'000});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    EXPECT_EQ(world.crashes(), 4U) << "seed " << seed;
  }
}

TEST(DispatchSuspects, AJobOfNothingButGuiltyFilesEnds) {
  auto files = PlainFiles(20, 2);
  for (auto& file : files) file.guilty_open = true;
  World world(files, {.attempts = 2, .workers = 3, .engines = 3});
  world.Run();
  EXPECT_EQ(world.sink().text(), world.Expected());
  EXPECT_LE(world.crashes(), 20U * 3);
  EXPECT_EQ(world.dispatcher().segments_done(), 0U);
}

class DispatchTrial : public ::testing::Test {
 protected:
  std::optional<Task> Next(uint64_t worker, uint32_t engine = 0) {
    auto task = dispatcher_.NextTask(worker, engine);
    EXPECT_TRUE(task);
    return task.value();
  }
  void Tell(uint64_t worker, const ResultRecord& record, uint32_t engine = 0) {
    bool honest = false;
    EXPECT_TRUE(dispatcher_.OnRecord(worker, engine, record, honest));
    EXPECT_TRUE(honest);
  }
  void Die(uint64_t worker, bool crashed) {
    EXPECT_TRUE(dispatcher_.RemoveWorker(worker, crashed ? Ending::kCrashed : Ending::kKilled,
                                         {"was ended by SIGBUS"}, {{"forward"}}));
  }

  std::vector<WorldFile> files_ = PlainFiles(100, 3);
  std::unique_ptr<FileList> list_ = MakeList(files_);
  LineSink sink_;
  Dispatcher dispatcher_{
      {.attempts = 2, .segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels},
      *list_,
      sink_};
};

TEST_F(DispatchTrial, ASigkillMakesNoSuspect) {
  dispatcher_.AddWorker(1, 1);
  const auto task = Next(1);
  ASSERT_TRUE(task);
  Tell(1, InfoOf(files_[0], 0));
  Tell(1, TagsOf(0, 0));
  Die(1, false);
  EXPECT_TRUE(dispatcher_.Idle());
  dispatcher_.AddWorker(2, 1);
  const auto again = Next(2);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->items[0].file, 0U);
  EXPECT_EQ(again->items[0].first_segment, 1U);
  EXPECT_TRUE(Next(2)) << "it is not alone: there is a second task";
}

TEST_F(DispatchTrial, ASuspectRunsInAWorkerThatHoldsNothingElse) {
  dispatcher_.AddWorker(1, 2);
  dispatcher_.AddWorker(2, 2);
  ASSERT_TRUE(Next(1));
  const auto busy = Next(2);
  ASSERT_TRUE(busy);
  Die(1, true);
  EXPECT_FALSE(Next(2, 1)) << "kept free for the suspect until it is empty";
  for (const auto& item : busy->items) Tell(2, FaultOf(item.file, 0));
  Tell(2, TaskDone{busy->id, {}});
  const auto trial = Next(2, 1);
  ASSERT_TRUE(trial);
  ASSERT_EQ(trial->items.size(), 1U);
  EXPECT_EQ(trial->items[0].file, 0U);
  EXPECT_EQ(trial->items[0].first_segment, 0U);
  EXPECT_EQ(trial->items[0].segment_count, 1U);
  EXPECT_FALSE(Next(2, 0));
  EXPECT_FALSE(Next(2, 1));
  // It lives: innocent, and the worker is one like others again.
  Tell(2, InfoOf(files_[0], 0), 1);
  Tell(2, TagsOf(0, 0), 1);
  Tell(2, TaskDone{trial->id, {}}, 1);
  EXPECT_TRUE(Next(2, 0));
  EXPECT_TRUE(Next(2, 1));
  EXPECT_EQ(sink_.text().find("crashed"), std::string::npos);
}

TEST_F(DispatchTrial, NobodyElseIsGivenAFileWhoseOpeningIsSuspected) {
  dispatcher_.AddWorker(1, 1);
  const auto task = Next(1);
  ASSERT_TRUE(task);
  ASSERT_GT(task->items[0].segment_count, 1U);
  Die(1, true);
  dispatcher_.AddWorker(2, 1);
  ASSERT_TRUE(Next(2));  // the trial
  dispatcher_.AddWorker(3, 1);
  for (int i = 0; i < 2; ++i) {
    const auto other = Next(3);
    ASSERT_TRUE(other);
    for (const auto& item : other->items) EXPECT_NE(item.file, 0U);
  }
  // It opens after all: then the rest of it is work like any other.
  Tell(2, InfoOf(files_[0], 0));
  dispatcher_.AddWorker(4, 1);
  const auto rest = Next(4);
  ASSERT_TRUE(rest);
  EXPECT_TRUE(std::any_of(rest->items.begin(), rest->items.end(), [](const TaskItem& item) {
    return item.file == 0 && item.first_segment == 1;
  }));
}

TEST_F(DispatchTrial, OtherWorkersGoOnWhileASuspectIsTried) {
  dispatcher_.AddWorker(1, 1);
  dispatcher_.AddWorker(2, 1);
  ASSERT_TRUE(Next(1));
  Die(1, true);
  ASSERT_TRUE(Next(2));
  EXPECT_FALSE(Next(2));
  dispatcher_.AddWorker(3, 1);
  EXPECT_TRUE(Next(3));
  EXPECT_TRUE(Next(3));
}

TEST_F(DispatchTrial, ASigkillDuringATrialCountsForNothing) {
  dispatcher_.AddWorker(1, 1);
  ASSERT_TRUE(Next(1));
  Die(1, true);
  for (uint64_t worker = 2; worker < 10; ++worker) {
    dispatcher_.AddWorker(worker, 1);
    const auto trial = Next(worker);
    ASSERT_TRUE(trial);
    ASSERT_EQ(trial->items.size(), 1U) << "a suspect still: run alone again";
    EXPECT_EQ(trial->items[0].segment_count, 1U);
    EXPECT_FALSE(Next(worker));
    Die(worker, false);
  }
  EXPECT_EQ(sink_.files(), 0U);
}

TEST_F(DispatchTrial, ASuspectWhoseResultWasPublishedBeforeTheCrashIsInnocent) {
  dispatcher_.AddWorker(1, 1);
  ASSERT_TRUE(Next(1));
  Die(1, true);
  dispatcher_.AddWorker(2, 1);
  ASSERT_TRUE(Next(2));
  Tell(2, InfoOf(files_[0], 0));
  Tell(2, TagsOf(0, 0));
  Die(2, true);
  EXPECT_EQ(dispatcher_.segments_done(), 1U);
  dispatcher_.AddWorker(3, 1);
  const auto task = Next(3);
  ASSERT_TRUE(task);
  EXPECT_NE(std::make_pair(task->items[0].file, task->items[0].first_segment),
            std::make_pair(uint64_t{0}, uint64_t{0}));
  EXPECT_TRUE(Next(3)) << "nobody is suspected any more";
}

TEST_F(DispatchTrial, ManySuspectsAreTriedInGroupsThatAreHalvedAtEachCrash) {
  for (const uint64_t worker : {1, 2}) dispatcher_.AddWorker(worker, 4);
  for (uint32_t engine = 0; engine < 4; ++engine) {
    ASSERT_TRUE(Next(1, engine));  // files 0 to 3, perhaps with others behind them
  }
  std::vector<uint64_t> in_flight;
  for (const auto& it : dispatcher_.InHand()) in_flight.push_back(it.file);
  Die(1, true);
  // One half, one suspect an engine.
  std::vector<uint64_t> tried;
  for (uint32_t engine = 0; engine < 4; ++engine) {
    const auto task = Next(2, engine);
    if (!task) continue;
    ASSERT_EQ(task->items.size(), 1U);
    EXPECT_EQ(task->items[0].segment_count, 1U);
    tried.push_back(task->items[0].file);
  }
  ASSERT_EQ(tried.size(), 2U);
  Die(2, true);
  // Each of them alone, then the other half, which lives.
  for (const uint64_t worker : {3, 4}) {
    dispatcher_.AddWorker(worker, 4);
    const auto alone = Next(worker, 1);
    ASSERT_TRUE(alone);
    EXPECT_TRUE(std::ranges::count(tried, alone->items[0].file));
    EXPECT_FALSE(Next(worker, 0));
    Tell(worker, FaultOf(alone->items[0].file, 0), 1);
    Tell(worker, TaskDone{alone->id, {}}, 1);
    EXPECT_TRUE(Next(worker, 2)) << "free again";
    Die(worker, false);
  }
  EXPECT_EQ(sink_.text().find("crashed"), std::string::npos);
}

TEST_F(DispatchTrial, MoreSuspectsThanEnginesShareTheirTasks) {
  ResumePoint point;
  for (uint64_t file = 0; file < 10; ++file) point.suspects.push_back({file, 0, 0, 1});
  ASSERT_TRUE(dispatcher_.Resume(point));
  dispatcher_.AddWorker(1, 4);
  size_t given = 0;
  for (uint32_t engine = 0; engine < 4; ++engine) {
    const auto task = Next(1, engine);
    ASSERT_TRUE(task);
    EXPECT_LE(task->items.size(), 3U);
    given += task->items.size();
    EXPECT_FALSE(Next(1, engine)) << "nothing beside it";
  }
  EXPECT_EQ(given, 10U);
  EXPECT_EQ(dispatcher_.Suspects().size(), 10U) << "kept while they are being tried";
}

TEST_F(DispatchTrial, OfAGroupThatCrashesWhatWasNotBegunStaysAGroup) {
  ResumePoint point;
  for (uint64_t file = 0; file < 6; ++file) point.suspects.push_back({file, 0, 0, 1});
  ASSERT_TRUE(dispatcher_.Resume(point));
  dispatcher_.AddWorker(1, 1);
  ASSERT_TRUE(Next(1));
  Tell(1, InfoOf(files_[0], 0));
  Tell(1, TagsOf(0, 0));
  Die(1, true);
  const auto left = dispatcher_.Suspects();
  ASSERT_EQ(left.size(), 5U) << "the first one has lived";
  EXPECT_EQ(left[0].file, 1U) << "in flight: alone";
  EXPECT_NE(left[0].together, left[1].together);
  for (size_t i = 2; i < 5; ++i) EXPECT_EQ(left[i].together, left[1].together);
}

TEST_F(DispatchTrial, SegmentsOfOneForwardAreAllInFlight) {
  LineSink sink;
  const auto list = MakeList(files_);
  Dispatcher dispatcher(
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels, .batch = 8}, *list, sink);
  ResumePoint point;
  ResumeFile open;
  files_[0].segments = 100;
  open.info = InfoOf(files_[0], 0);
  open.accounted.AddRange(0, 18);
  point.open.push_back(open);
  ASSERT_TRUE(dispatcher.Resume(point));
  dispatcher.AddWorker(1, 1);
  ASSERT_TRUE(dispatcher.NextTask(1, 0).value());
  bool honest = false;
  ASSERT_TRUE(dispatcher.OnRecord(1, 0, InfoOf(files_[0], 0), honest));
  ASSERT_TRUE(dispatcher.RemoveWorker(1, Ending::kCrashed, {"was ended by SIGBUS"}, {}));
  std::vector<uint64_t> segments;
  for (const auto& it : dispatcher.Suspects()) segments.push_back(it.segment);
  // A task of four segments (nothing is known of what they cost) out of the forward that ends
  // at 24.
  EXPECT_EQ(segments, (std::vector<uint64_t>{18, 19, 20, 21}));
}

TEST_F(DispatchTrial, SeveralWorkersTryGroupsAtTheSameTimeWhereThereAreMany) {
  ResumePoint point;
  for (uint64_t file = 0; file < 8; ++file) {
    point.suspects.push_back({file, 0, 0, static_cast<int64_t>(file)});
  }
  ASSERT_TRUE(dispatcher_.Resume(point));
  for (uint64_t worker = 1; worker <= 12; ++worker) dispatcher_.AddWorker(worker, 1);
  size_t trials = 0;
  for (uint64_t worker = 1; worker <= 12; ++worker) {
    const auto task = Next(worker);
    ASSERT_TRUE(task);
    trials += task->items[0].file < 8;
  }
  EXPECT_EQ(trials, 3U) << "a quarter of the workers; the others do ordinary work";
}

TEST_F(DispatchTrial, TheVerdictNamesTheSignalTheStageAndTheNumberOfDeaths) {
  files_[0].segments = 1;
  for (uint64_t worker = 1; worker <= 3; ++worker) {
    dispatcher_.AddWorker(worker, 1);
    ASSERT_TRUE(Next(worker));
    Tell(worker, InfoOf(files_[0], 0));
    Die(worker, true);
  }
  EXPECT_EQ(sink_.text(),
            "f0 0 crashed: the worker was ended by SIGBUS in stage forward, 2 times while this "
            "segment was alone in it\n");
}

// A job of one file of three channels that are heard one by one, in which the first crash decides.
struct ThreeChannels {
  explicit ThreeChannels(uint64_t segments) : files(PlainFiles(1, segments)) {
    files[0].channels = 3;
  }
  void Tell(uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    ASSERT_TRUE(dispatcher.OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  }
  FileInfo info() const { return InfoOf(files[0], 0); }

  std::vector<WorldFile> files;
  std::unique_ptr<FileList> list = MakeList(files);
  LineSink sink;
  Dispatcher dispatcher{{.attempts = 1,
                         .segment_ns = kSegmentNs,
                         .hop_ns = kSegmentNs,
                         .each_channel = true,
                         .labels = kLabels},
                        *list,
                        sink};
};

// What is read is read for all channels at once: what dies of it would do so for each of them.
TEST(DispatchChannels, ReadingThatCrashesCostsAllChannelsOfThePlaceAtOnce) {
  for (const std::string stage : {"read", "validate", "forward"}) {
    ThreeChannels job(6);
    for (uint64_t worker = 1; worker <= 2; ++worker) {
      job.dispatcher.AddWorker(worker, 1);
      ASSERT_TRUE(job.dispatcher.NextTask(worker, 0).value());
      job.Tell(worker, job.info());
      ASSERT_TRUE(job.dispatcher.RemoveWorker(worker, Ending::kCrashed, {"died"}, {{stage}}));
    }
    const uint64_t given_up = stage == "forward" ? 1 : 3;
    job.dispatcher.AddWorker(3, 1);
    for (uint64_t next = given_up; next < 6;) {
      const auto task = job.dispatcher.NextTask(3, 0).value();
      ASSERT_TRUE(task) << stage;
      ASSERT_EQ(task->items.size(), 1U);
      const auto& item = task->items.front();
      EXPECT_EQ(item.first_segment, next) << stage;
      job.Tell(3, job.info());
      const uint64_t end = std::min<uint64_t>(6, next + item.segment_count);
      for (; next < end; ++next) job.Tell(3, TagsOf(0, next));
      job.Tell(3, TaskDone{task->id, {}});
    }
    EXPECT_TRUE(job.dispatcher.AllDone()) << stage;
    std::string expected;
    for (uint64_t segment = 0; segment < 6; ++segment) {
      expected += segment < given_up
                      ? LineSink::CrashLine("f0", segment,
                                            "the worker died in stage " + stage +
                                                ", once while this segment was alone in it")
                      : LineSink::TagsLine("f0", TagsOf(0, segment));
    }
    EXPECT_EQ(job.sink.text(), expected);
  }
}

// A fault that is found at a place that was given up meanwhile: that has its lines, and keeps them.
TEST(DispatchChannels, AFaultAtWhatWasGivenUpMeanwhileEndsTheFileBehindIt) {
  ThreeChannels job(9);
  const auto crash = [&](uint64_t worker) {
    ASSERT_TRUE(job.dispatcher.RemoveWorker(worker, Ending::kCrashed, {"died"}, {{"read"}}));
  };
  for (uint64_t worker = 1; worker <= 12; ++worker) job.dispatcher.AddWorker(worker, 1);
  const auto take = [&](uint64_t worker, uint64_t first) {
    const auto task = job.dispatcher.NextTask(worker, 0).value();
    ASSERT_TRUE(task);
    ASSERT_EQ(task->items.front().first_segment, first);
    job.Tell(worker, job.info());
  };
  take(1, 0);
  crash(1);
  take(2, 0);  // on trial, alone
  take(3, 1);
  crash(3);
  take(4, 1);  // likewise, at the same time
  EXPECT_FALSE(job.dispatcher.NextTask(4, 0).value());
  for (uint64_t segment = 2; segment < 5; ++segment) {
    const auto task = job.dispatcher.NextTask(5, 0).value();
    ASSERT_TRUE(task);
    ASSERT_EQ(task->items.front().first_segment, segment);
    job.Tell(5, job.info());
    job.Tell(5, TagsOf(0, segment));
    if (task->items.front().segment_count > 1) {  // the rest is for the next one
      ASSERT_TRUE(job.dispatcher.RemoveWorker(5, Ending::kKilled, {"died"}, {{"read"}}));
      job.dispatcher.AddWorker(5, 1);
    } else {
      job.Tell(5, TaskDone{task->id, {}});
    }
  }
  crash(2);  // guilty, and with it all that is read there
  job.Tell(4, FaultOf(0, 1));
  EXPECT_TRUE(job.dispatcher.AllDone());
  std::string expected;
  for (uint64_t segment = 0; segment < 2; ++segment) {
    expected += LineSink::CrashLine(
        "f0", segment, "the worker died in stage read, once while this segment was alone in it");
  }
  for (uint64_t segment = 2; segment < 5; ++segment) {
    expected += LineSink::TagsLine("f0", TagsOf(0, segment));
  }
  EXPECT_EQ(job.sink.text(), expected + LineSink::FaultLine("f0", FaultOf(0, 5)));
  EXPECT_EQ(job.dispatcher.segments_done(), 3U);
}

// Two runs measure twice: what differs between them is for people alone.
TEST_F(DispatchTrial, WhatWasMeasuredIsInTheVerdictAndNotInTheLine) {
  class Sink : public LineSink {
   public:
    void Quarantined(const OpenFile&, uint64_t, const Verdict& verdict) override {
      told = verdict.message;
    }
    std::string told;
  } sink;
  files_ = PlainFiles(1, 1);
  list_ = MakeList(files_);
  Dispatcher dispatcher(
      {.attempts = 1, .segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_,
      sink);
  for (uint64_t worker = 1; worker <= 2; ++worker) {
    dispatcher.AddWorker(worker, 1);
    ASSERT_TRUE(dispatcher.NextTask(worker, 0).value());
    bool honest = false;
    ASSERT_TRUE(dispatcher.OnRecord(worker, 0, InfoOf(files_[0], 0), honest));
    const EndWords words = {"used too much memory", "used 3.00 GiB of memory", false};
    ASSERT_TRUE(dispatcher.RemoveWorker(worker, Ending::kCrashed, words, {{"forward"}}));
  }
  EXPECT_EQ(sink.text(),
            "f0 0 crashed: the worker used too much memory, once while this segment was alone "
            "in it\n");
  EXPECT_EQ(sink.told,
            "the worker used 3.00 GiB of memory in stage forward, once while this segment was "
            "alone in it");
}

TEST_F(DispatchTrial, ASuspectBeyondAFaultIsForgotten) {
  files_ = PlainFiles(1, 1000);
  list_ = MakeList(files_);
  LineSink sink;
  Dispatcher dispatcher({.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_,
                        sink);
  const auto tell = [&](uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    EXPECT_TRUE(dispatcher.OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  };
  dispatcher.AddWorker(1, 1);
  dispatcher.AddWorker(2, 1);
  const auto first = dispatcher.NextTask(1, 0).value();
  ASSERT_TRUE(first);
  tell(1, InfoOf(files_[0], 0));
  const auto later = dispatcher.NextTask(2, 0).value();
  ASSERT_TRUE(later);
  ASSERT_GT(later->items[0].first_segment, 0U);
  EXPECT_TRUE(dispatcher.RemoveWorker(2, Ending::kCrashed, {"was ended by SIGBUS"}, {{"forward"}}));
  tell(1, FaultOf(0, 0));
  tell(1, TaskDone{first->id, {}});
  EXPECT_TRUE(dispatcher.AllDone());
  EXPECT_FALSE(dispatcher.NextTask(1, 0).value());
  EXPECT_TRUE(dispatcher.Idle());
  EXPECT_EQ(sink.text(), LineSink::FaultLine("f0", FaultOf(0, 0)));
}

TEST_F(DispatchTrial, AnEngineThatIsNotBlamedMakesNoSuspect) {
  dispatcher_.AddWorker(1, 2);
  ASSERT_TRUE(Next(1, 0));
  const auto hung = Next(1, 1);
  ASSERT_TRUE(hung);
  const std::vector<LastSeen> seen = {{"forward", false}, {"forward", true}};
  ASSERT_TRUE(dispatcher_.RemoveWorker(1, Ending::kCrashed, {"hung for 60 s"}, seen));
  auto suspects = dispatcher_.Suspects();
  ASSERT_EQ(suspects.size(), 1U);
  EXPECT_EQ(suspects[0].file, hung->items[0].file);
  dispatcher_.AddWorker(2, 1);
  ASSERT_TRUE(Next(2));
  EXPECT_TRUE(dispatcher_.OnTrial(2));
  ASSERT_TRUE(
      dispatcher_.RemoveWorker(2, Ending::kCrashed, {"hung for 60 s"}, {{"waiting", false}}));
  suspects = dispatcher_.Suspects();
  ASSERT_EQ(suspects.size(), 1U) << "it had not begun: its trial is still to come";
  EXPECT_EQ(suspects[0].deaths, 0);
}

}  // namespace
}  // namespace consort::test
