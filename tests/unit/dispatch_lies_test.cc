// A record that cannot be one of its task is a lie: `honest` is false, nothing is written, and
// nothing that the dispatcher knows has changed.
#include "dispatch_world.h"

namespace consort::test {
namespace {

constexpr uint64_t kWorker = 1;

class DispatchLies : public ::testing::Test {
 protected:
  DispatchLies() {
    dispatcher_.AddWorker(kWorker, 2);
    auto task = dispatcher_.NextTask(kWorker, 0);
    EXPECT_TRUE(task && task.value());
    task_ = *task.value();
    // The engine's first task: two short files at least, the first for more than one segment.
    EXPECT_GE(task_.items.size(), 2U);
    EXPECT_EQ(task_.items[0].file, 0U);
    EXPECT_GE(task_.items[0].segment_count, 2U);
  }

  bool Tell(const ResultRecord& record, uint32_t engine = 0, uint64_t worker = kWorker) {
    bool honest = true;
    EXPECT_TRUE(dispatcher_.OnRecord(worker, engine, record, honest));
    return honest;
  }
  FileInfo Info(uint64_t file) const { return InfoOf(files_[file], file); }
  // The rest of the task is told, from item 0's `segment` on, and believed.
  void ExpectTheTruthIsStillBelieved(bool opened, uint64_t segment) {
    for (size_t i = 0; i < task_.items.size(); ++i, segment = 0, opened = false) {
      const uint64_t file = task_.items[i].file;
      if (!opened) {
        EXPECT_TRUE(Tell(Info(file)));
      }
      const uint64_t end = std::min(files_[file].segments, task_.items[i].segment_count);
      for (; segment < end; ++segment) EXPECT_TRUE(Tell(TagsOf(file, segment)));
    }
    EXPECT_TRUE(Tell(TaskDone{task_.id, {}}));
    EXPECT_TRUE(dispatcher_.Idle());
    EXPECT_EQ(sink_.segments(), dispatcher_.segments_done());
  }

  std::vector<WorldFile> files_ = PlainFiles(100, 2);
  std::unique_ptr<FileList> list_ = MakeList(files_);
  LineSink sink_;
  Dispatcher dispatcher_{
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_, sink_};
  Task task_;
};

TEST_F(DispatchLies, TagsBeforeTheFileIsOpened) {
  EXPECT_FALSE(Tell(TagsOf(0, 0)));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, InfoOfAnotherFileOfTheTask) {
  EXPECT_FALSE(Tell(Info(1)));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, InfoOfAFileThatIsNotInTheTask) {
  FileInfo info = Info(0);
  info.file = 99;
  EXPECT_FALSE(Tell(info));
  info.file = UINT64_MAX;
  EXPECT_FALSE(Tell(info));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, InfoTwice) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_FALSE(Tell(Info(0)));
  ExpectTheTruthIsStillBelieved(true, 0);
}

TEST_F(DispatchLies, AFileWithoutSamplesThatOpens) {
  FileInfo info = Info(0);
  info.samples = 0;
  EXPECT_FALSE(Tell(info));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, AFileLongerThanAnyCanBe) {
  FileInfo info = Info(0);
  info.samples = INT64_MAX;
  info.sample_rate = 1;
  EXPECT_FALSE(Tell(info));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, TagsOfAnotherFile) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_FALSE(Tell(TagsOf(1, 0)));
  EXPECT_FALSE(Tell(TagsOf(UINT64_MAX, 0)));
  ExpectTheTruthIsStillBelieved(true, 0);
}

TEST_F(DispatchLies, TagsOfALaterSegment) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_FALSE(Tell(TagsOf(0, 1)));
  ExpectTheTruthIsStillBelieved(true, 0);
}

TEST_F(DispatchLies, TagsOfASegmentTwice) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  EXPECT_FALSE(Tell(TagsOf(0, 0)));
  ExpectTheTruthIsStillBelieved(true, 1);
}

TEST_F(DispatchLies, ASegmentBeyondTheFilesEnd) {
  ASSERT_GT(task_.items[0].segment_count, files_[0].segments);
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  EXPECT_TRUE(Tell(TagsOf(0, 1)));
  EXPECT_FALSE(Tell(TagsOf(0, 2)));
  EXPECT_FALSE(Tell(FaultOf(0, 2)));
}

TEST_F(DispatchLies, ASegmentBeyondTheTasksEnd) {
  // The second file is asked for in part.
  const uint64_t count = task_.items[1].segment_count;
  files_[1].segments = count + 5;
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  EXPECT_TRUE(Tell(TagsOf(0, 1)));
  EXPECT_TRUE(Tell(Info(1)));
  for (uint64_t k = 0; k < count; ++k) EXPECT_TRUE(Tell(TagsOf(1, k)));
  EXPECT_FALSE(Tell(TagsOf(1, count)));
}

TEST_F(DispatchLies, ALabelThatTheBundleDoesNotHave) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_FALSE(Tell(SegmentTags{0, 0, {{0, 1.0F}, {kLabels, 0.5F}}}));
  EXPECT_FALSE(Tell(SegmentTags{0, 0, {{UINT32_MAX, 1.0F}}}));
  EXPECT_TRUE(Tell(SegmentTags{0, 0, {{kLabels - 1, 1.0F}}}));
  ExpectTheTruthIsStillBelieved(true, 1);
}

TEST_F(DispatchLies, AFaultOfAnotherFile) {
  EXPECT_FALSE(Tell(FaultOf(1, 0)));
  EXPECT_FALSE(Tell(FaultOf(77, 0)));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, AFaultAtAnotherSegment) {
  EXPECT_FALSE(Tell(FaultOf(0, 1)));
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  EXPECT_FALSE(Tell(FaultOf(0, 0)));
  ExpectTheTruthIsStillBelieved(true, 1);
}

TEST_F(DispatchLies, DoneWithAnotherTask) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  EXPECT_FALSE(Tell(TaskDone{task_.id + 1, {}}));
  EXPECT_FALSE(Tell(TaskDone{0, {}}));
  ExpectTheTruthIsStillBelieved(true, 1);
}

TEST_F(DispatchLies, DoneBeforeItGotOn) {
  EXPECT_FALSE(Tell(TaskDone{task_.id, {}}));
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_FALSE(Tell(TaskDone{task_.id, {}}));
  ExpectTheTruthIsStillBelieved(true, 0);
}

TEST_F(DispatchLies, DoneTwice) {
  ExpectTheTruthIsStillBelieved(false, 0);
  EXPECT_FALSE(Tell(TaskDone{task_.id, {}}));
}

TEST_F(DispatchLies, AnythingAfterTheLastItemButItsEnd) {
  for (const auto& item : task_.items) EXPECT_TRUE(Tell(FaultOf(item.file, 0)));
  EXPECT_FALSE(Tell(Info(task_.items.back().file)));
  EXPECT_FALSE(Tell(TagsOf(task_.items.back().file, 0)));
  EXPECT_FALSE(Tell(FaultOf(task_.items.back().file, 0)));
  EXPECT_TRUE(Tell(TaskDone{task_.id, {}}));
}

TEST_F(DispatchLies, AnythingFromAnEngineWithoutATask) {
  EXPECT_FALSE(Tell(Info(0), 1));
  EXPECT_FALSE(Tell(TagsOf(0, 0), 1));
  EXPECT_FALSE(Tell(FaultOf(0, 0), 1));
  EXPECT_FALSE(Tell(TaskDone{task_.id, {}}, 1));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, AnythingFromAWorkerThatIsNotThere) {
  EXPECT_FALSE(Tell(Info(0), 0, kWorker + 1));
  ExpectTheTruthIsStillBelieved(false, 0);
}

TEST_F(DispatchLies, TheSecondTasksRecordsBeforeTheFirstIsDone) {
  auto second = dispatcher_.NextTask(kWorker, 0);
  ASSERT_TRUE(second && second.value());
  EXPECT_FALSE(Tell(Info(second.value()->items[0].file)));
  EXPECT_FALSE(Tell(TaskDone{second.value()->id, {}}));
}

TEST_F(DispatchLies, AbsurdTimesAreTakenAsFarAsTheyCanBeTrue) {
  EXPECT_TRUE(Tell(Info(0)));
  EXPECT_TRUE(Tell(TagsOf(0, 0)));
  TaskDone done{task_.id, {}};
  done.stage_ns.fill(INT64_MAX);
  done.stage_ns[1] = INT64_MIN;
  EXPECT_TRUE(Tell(done));
  EXPECT_EQ(dispatcher_.stage_ns()[1], 0);
  EXPECT_GE(dispatcher_.stage_ns()[2], 0);
}

}  // namespace
}  // namespace consort::test
