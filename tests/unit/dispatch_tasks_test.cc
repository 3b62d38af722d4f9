// What tasks are made of, and which error a file ends with.
#include <algorithm>

#include "dispatch_world.h"

namespace consort::test {
namespace {

uint64_t Segments(const Task& task) {
  uint64_t count = 0;
  for (const auto& item : task.items) count += item.segment_count;
  return count;
}

TEST(DispatchTasks, AreOneOrTwoSecondsOfWorkAndLessTowardsTheEnd) {
  World world(PlainFiles(1, 4000), {.workers = 2, .engines = 2, .segment_ns = 10'000'000});
  world.Run();
  const auto& tasks = world.handed_out();
  uint64_t most = 0;
  for (const auto& task : tasks) most = std::max(most, Segments(task));
  EXPECT_GE(most, 100U);  // 1 s of segments of 10 ms
  EXPECT_LE(most, 200U);
  ASSERT_GE(tasks.size(), 8U);
  // Four engines: the last ones are short, so that none works while the others have nothing.
  for (size_t i = tasks.size() - 4; i < tasks.size(); ++i) EXPECT_LE(Segments(tasks[i]), 2U);
}

TEST(DispatchTasks, AreOneSegmentEachWhereThatTakesLongerThanATask) {
  World world(PlainFiles(1, 60), {.workers = 2, .engines = 1, .segment_ns = 20'000'000'000});
  world.Run();
  for (size_t i = 5; i < world.handed_out().size(); ++i) {
    EXPECT_EQ(Segments(world.handed_out()[i]), 1U);
  }
  EXPECT_EQ(world.sink().text(), world.Expected());
}

TEST(DispatchTasks, TakeSeveralShortFiles) {
  World world(PlainFiles(2000, 1), {.workers = 2, .engines = 2, .segment_ns = 10'000'000});
  world.Run();
  size_t most = 0;
  for (const auto& task : world.handed_out()) most = std::max(most, task.items.size());
  EXPECT_GE(most, 50U);
  EXPECT_LT(world.handed_out().size(), 300U);
}

TEST(DispatchTasks, OfALongFileAreCutWhereTheDecoderMayStartAnew) {
  auto files = PlainFiles(1, 3000);
  files[0].alignment = 7;
  World world(files, {.workers = 2, .engines = 1, .segment_ns = 10'000'000});
  world.Run();
  EXPECT_EQ(world.sink().text(), world.Expected());
  size_t aligned = 0;
  for (const auto& task : world.handed_out()) {
    const auto& item = task.items[0];
    // A task too short to reach the next such place is cut anywhere.
    if (item.segment_count < 7) continue;
    const uint64_t end = item.first_segment + item.segment_count;
    EXPECT_TRUE(end % 7 == 0 || end == 3000) << item.first_segment << "+" << item.segment_count;
    ++aligned;
  }
  EXPECT_GE(aligned, 10U);
}

// Each place is read by one engine, however slow the model is; but the first task of a file is
// made before anybody knows how many channels it has.
TEST(DispatchTasks, OfChannelsHeardOneByOneEndWhereAPlaceDoes) {
  auto files = PlainFiles(2, 400);
  for (auto& file : files) {
    file.channels = 8;
    file.alignment = 8;
  }
  for (const int64_t segment_ns : {10'000'000, 700'000'000}) {
    World world(files,
                {.workers = 2, .engines = 1, .each_channel = true, .segment_ns = segment_ns});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
    size_t later = 0;
    for (const auto& task : world.handed_out()) {
      for (const auto& item : task.items) {
        if (item.first_segment == 0) continue;
        const uint64_t end = item.first_segment + item.segment_count;
        EXPECT_EQ(end % 8, 0U) << item.first_segment << "+" << item.segment_count;
        ++later;
      }
    }
    EXPECT_GE(later, 10U);
  }
}

TEST(DispatchTasks, CarryTheLongestPaths) {
  // Every length around the one that is just too long, next to short ones that fill the record.
  std::vector<WorldFile> files;
  for (size_t length = kMaxPathBytes - 40; length <= kMaxPathBytes + 2; ++length) {
    for (const size_t size : {size_t{1}, length, kMaxPathBytes - length % 60}) {
      files.emplace_back().path.assign(size, 'p');
    }
  }
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    World world(files, {.seed = seed, .segment_ns = 1'000});
    world.Run();
    EXPECT_EQ(world.sink().text(), world.Expected());
  }
}

TEST(DispatchTasks, AListOfNothingIsDoneAtOnce) {
  const auto list = MakeList({});
  LineSink sink;
  Dispatcher dispatcher({.segment_ns = kSegmentNs, .hop_ns = kSegmentNs}, *list, sink);
  EXPECT_TRUE(dispatcher.AllDone());
  dispatcher.AddWorker(1, 1);
  EXPECT_FALSE(dispatcher.NextTask(1, 0).value());
}

// Files that are decoded in one pass.
class DispatchOnePass : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto& file : files_) file.alignment = kOnePassAlignment;
    list_ = MakeList(files_);
    dispatcher_ = std::make_unique<Dispatcher>(
        DispatchSettings{.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_,
        sink_);
    dispatcher_->AddWorker(1, 1);
    dispatcher_->AddWorker(2, 1);
  }
  // Does the next task, all of it or its first segments alone. The file that it is about, -1 if
  // there is no task.
  int64_t Work(uint64_t worker, uint64_t most = UINT64_MAX) {
    auto task = dispatcher_->NextTask(worker, 0);
    if (!task || !task.value()) return -1;
    last_ = *task.value();
    uint64_t done = 0;
    for (const TaskItem& item : last_.items) {
      EXPECT_EQ(item.file, last_.items[0].file);
      if (done == most) break;
      Tell(worker, InfoOf(files_[item.file], item.file));
      const uint64_t end =
          std::min(item.first_segment + item.segment_count, files_[item.file].segments);
      for (uint64_t k = item.first_segment; k < end && done < most; ++k, ++done) {
        Tell(worker, TagsOf(item.file, k));
      }
    }
    Tell(worker, TaskDone{last_.id, {}});
    return static_cast<int64_t>(last_.items[0].file);
  }
  void Tell(uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    EXPECT_TRUE(dispatcher_->OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  }

  std::vector<WorldFile> files_ = PlainFiles(2, 100);
  std::unique_ptr<FileList> list_;
  LineSink sink_;
  std::unique_ptr<Dispatcher> dispatcher_;
  Task last_;
};

TEST_F(DispatchOnePass, StayWithTheEngineThatBeganThem) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Work(1), 0);
    EXPECT_EQ(Work(2), 1);
  }
  EXPECT_EQ(last_.time_slice_ns, TaskSize::kOnePassSliceNs);
}

TEST_F(DispatchOnePass, ComeBackToItWithWhatAnEarlyEndLeft) {
  EXPECT_EQ(Work(1, 1), 0);
  EXPECT_EQ(Work(2, 1), 1);
  EXPECT_EQ(Work(2), 1);
  EXPECT_EQ(last_.items[0].first_segment, 1U);
  EXPECT_EQ(Work(1), 0);
  EXPECT_EQ(last_.items[0].first_segment, 1U);
}

TEST_F(DispatchOnePass, AreToldOfWhileTheyAreOpen) {
  EXPECT_FALSE(dispatcher_->AnyBoundToItsEngine());
  EXPECT_EQ(Work(1), 0);
  EXPECT_TRUE(dispatcher_->AnyBoundToItsEngine());
  EXPECT_EQ(Work(2), 1);
  for (int i = 0; i < 200 && !dispatcher_->AllDone(); ++i) {
    EXPECT_TRUE(dispatcher_->AnyBoundToItsEngine());
    Work(1);
    Work(2);
  }
  EXPECT_FALSE(dispatcher_->AnyBoundToItsEngine());
}

TEST_F(DispatchOnePass, AreSharedWhenThereIsNothingElse) {
  EXPECT_EQ(Work(1), 0);
  while (sink_.files() == 0) EXPECT_EQ(Work(2), 1);
  EXPECT_EQ(Work(2), 0);
  EXPECT_EQ(Work(1), 0);
}

TEST_F(DispatchOnePass, AreFreeWhenTheirEngineIsGone) {
  EXPECT_EQ(Work(1), 0);
  EXPECT_EQ(Work(2), 1);
  ASSERT_TRUE(dispatcher_->RemoveWorker(1, Ending::kKilled, {"was ended"}, {}));
  EXPECT_EQ(Work(2), 0);
}

// One file in several engines' hands.
class DispatchFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t worker = 1; worker <= 3; ++worker) {
      dispatcher_.AddWorker(worker, 1);
      auto task = dispatcher_.NextTask(worker, 0);
      ASSERT_TRUE(task && task.value());
      tasks_.push_back(*task.value());
      Tell(worker, InfoOf(files_[0], 0));  // after the first, the others may begin
    }
  }
  void Tell(uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    EXPECT_TRUE(dispatcher_.OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  }
  uint64_t First(uint64_t worker) const { return tasks_[worker - 1].items[0].first_segment; }
  uint64_t Count(uint64_t worker) const { return tasks_[worker - 1].items[0].segment_count; }
  void Finish(uint64_t worker) {
    for (uint64_t k = 0; k < Count(worker); ++k) Tell(worker, TagsOf(0, First(worker) + k));
    Tell(worker, TaskDone{tasks_[worker - 1].id, {}});
  }

  std::vector<WorldFile> files_ = PlainFiles(1, 1000);
  std::unique_ptr<FileList> list_ = MakeList(files_);
  LineSink sink_;
  Dispatcher dispatcher_{
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_, sink_};
  std::vector<Task> tasks_;
};

TEST_F(DispatchFaults, TheEarliestIsToldWhicheverWasFoundFirst) {
  const uint64_t earlier = First(2);
  Tell(3, FaultOf(0, First(3)));
  Tell(2, FaultOf(0, earlier));
  Tell(2, TaskDone{tasks_[1].id, {}});
  Tell(3, TaskDone{tasks_[2].id, {}});
  EXPECT_FALSE(dispatcher_.AllDone()) << "what lies before the fault is still to come";
  Finish(1);
  EXPECT_TRUE(dispatcher_.AllDone());
  EXPECT_TRUE(dispatcher_.Idle());
  std::string expected;
  for (uint64_t k = 0; k < earlier; ++k) expected += LineSink::TagsLine("f0", TagsOf(0, k));
  EXPECT_EQ(sink_.text(), expected + LineSink::FaultLine("f0", FaultOf(0, earlier)));
}

TEST_F(DispatchFaults, ALaterOneAfterAnEarlierIsIgnored) {
  const uint64_t earlier = First(2);
  Tell(2, FaultOf(0, earlier));
  Tell(3, TagsOf(0, First(3)));  // nobody wants it any more, but it is no lie
  Tell(3, FaultOf(0, First(3) + 1));
  Finish(1);
  EXPECT_TRUE(dispatcher_.AllDone());
  EXPECT_EQ(sink_.segments(), earlier);
  EXPECT_TRUE(sink_.text().ends_with(LineSink::FaultLine("f0", FaultOf(0, earlier))));
}

TEST_F(DispatchFaults, NothingBeyondAFaultIsHandedOut) {
  Tell(3, FaultOf(0, First(3)));
  Tell(3, TaskDone{tasks_[2].id, {}});
  Finish(2);
  EXPECT_FALSE(dispatcher_.NextTask(2, 0).value());
  EXPECT_FALSE(dispatcher_.NextTask(3, 0).value());
}

TEST_F(DispatchFaults, AFileThatChangedInMidRunEndsWhereThatWasSeen) {
  Finish(1);
  Finish(2);
  auto task = dispatcher_.NextTask(2, 0).value();
  ASSERT_TRUE(task);
  tasks_[1] = *task;
  files_[0].mtime_ns += 1;
  Tell(2, InfoOf(files_[0], 0));
  Finish(2);  // it is read as it is now; none of that is written
  Finish(3);
  EXPECT_TRUE(dispatcher_.AllDone());
  EXPECT_TRUE(dispatcher_.Idle());
  EXPECT_EQ(sink_.segments(), task->items[0].first_segment);
  EXPECT_NE(sink_.text().find(", changed: the file was changed while it was being read\n"),
            std::string::npos);
}

TEST_F(DispatchFaults, AFileThatGrewOrShrankIsFollowedAsItIsNow) {
  files_[0].segments = First(3) + 2;
  Finish(2);
  auto task = dispatcher_.NextTask(2, 0).value();
  ASSERT_TRUE(task);
  tasks_[1] = *task;
  ASSERT_GE(First(2), files_[0].segments);
  Tell(2, InfoOf(files_[0], 0));  // it ends before what was asked for
  Tell(2, TaskDone{task->id, {}});
  Finish(1);
  Finish(3);
  EXPECT_TRUE(dispatcher_.AllDone());
  EXPECT_NE(sink_.text().find(", changed: "), std::string::npos);
}

TEST(DispatchFiles, WhoseHeaderIsUnfinishedCountOnceHoweverOftenTheyAreOpened) {
  const auto files = PlainFiles(3, 4);
  const auto list = MakeList(files);
  LineSink sink;
  Dispatcher dispatcher({.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list,
                        sink);
  dispatcher.AddWorker(1, 1);
  dispatcher.AddWorker(2, 1);
  const auto tell = [&dispatcher](uint64_t worker, const ResultRecord& record) {
    bool honest = false;
    EXPECT_TRUE(dispatcher.OnRecord(worker, 0, record, honest));
    EXPECT_TRUE(honest);
  };
  for (const uint64_t worker : {1, 2}) {  // the first one dies with it
    const auto task = dispatcher.NextTask(worker, 0).value();
    ASSERT_TRUE(task);
    FileInfo info = InfoOf(files[task->items[0].file], task->items[0].file);
    ASSERT_EQ(info.file, 0U);
    info.flags = kHeaderUnfinished;
    tell(worker, info);
    EXPECT_EQ(dispatcher.files_unfinished(), 1U);
    EXPECT_EQ(dispatcher.unfinished_path(), files[0].path);
    if (worker == 2) break;
    EXPECT_TRUE(dispatcher.RemoveWorker(1, Ending::kKilled, {"was killed"}, {}));
  }
}

// The journal of an older consort has the samples that the header says.
TEST(DispatchFiles, ThatAnOlderConsortHeardInPartAreNotCalledChanged) {
  for (const bool touched : {false, true}) {
    const auto files = PlainFiles(1, 4);
    const auto list = MakeList(files);
    LineSink sink;
    Dispatcher dispatcher({.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels},
                          *list, sink);
    ResumeFile open;
    open.info = InfoOf(files[0], 0);
    ResumePoint point;
    point.open.push_back(open);
    ASSERT_TRUE(dispatcher.Resume(point));
    dispatcher.AddWorker(1, 1);
    ASSERT_TRUE(dispatcher.NextTask(1, 0).value());
    FileInfo info = InfoOf(files[0], 0);
    info.samples *= 2;
    info.flags = kHeaderUnfinished;
    if (touched) ++info.mtime_ns;
    bool honest = false;
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, info, honest));
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, TaskDone{1, {}}, honest));
    EXPECT_EQ(sink.text().find("was changed") != std::string::npos, touched) << sink.text();
    EXPECT_EQ(sink.text().find("--retry-failed") != std::string::npos, !touched) << sink.text();
  }
}

}  // namespace
}  // namespace consort::test
