// A record that cannot be one of its task is a lie: `honest` is false, nothing is written, and
// nothing that the dispatcher knows has changed.
#include "dispatch_world.h"

namespace consort::test {
namespace {

constexpr uint64_t kWorker = 1;

// One worker of two engines; engine 0 holds a task of short files. One lie a scene.
class Scene {
 public:
  Scene() {
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
  // What the engine says after its lie is not believed, be it true. Item 0 is where it was,
  // `segment` the one in hand: that is the suspect, and all the rest is handed out again.
  void ExpectTheLieChangedNothing(bool opened, uint64_t segment) {
    const uint64_t done = dispatcher_.segments_done();
    EXPECT_FALSE(opened ? Tell(TagsOf(0, segment)) : Tell(Info(0)));
    EXPECT_FALSE(Tell(TaskDone{task_.id, {}}));
    EXPECT_FALSE(dispatcher_.NextTask(kWorker, 0).value());
    EXPECT_EQ(dispatcher_.segments_done(), done);
    EXPECT_EQ(sink_.segments(), done);
    EXPECT_EQ(sink_.files(), 0U);
    EXPECT_TRUE(dispatcher_.RemoveWorker(kWorker, Ending::kCrashed, {"broke the protocol"}, {}));
    EXPECT_TRUE(dispatcher_.Idle());
    dispatcher_.AddWorker(kWorker + 1, 1);
    const auto trial = dispatcher_.NextTask(kWorker + 1, 0).value();
    ASSERT_TRUE(trial);
    ASSERT_EQ(trial->items.size(), 1U);
    EXPECT_EQ(trial->items[0].file, 0U);
    EXPECT_EQ(trial->items[0].first_segment, segment);
    EXPECT_EQ(trial->items[0].segment_count, 1U);
    dispatcher_.AddWorker(kWorker + 2, 1);
    std::set<uint64_t> again;
    for (int i = 0; i < 2; ++i) {
      const auto task = dispatcher_.NextTask(kWorker + 2, 0).value();
      ASSERT_TRUE(task);
      for (const auto& item : task->items) again.insert(item.file);
    }
    for (size_t i = 1; i < task_.items.size(); ++i) {
      EXPECT_TRUE(again.contains(task_.items[i].file));
    }
  }

  const Task& task() const { return task_; }
  Dispatcher& dispatcher() { return dispatcher_; }

 private:
  std::vector<WorldFile> files_ = PlainFiles(100, 2);
  std::unique_ptr<FileList> list_ = MakeList(files_);
  LineSink sink_;
  Dispatcher dispatcher_{
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels}, *list_, sink_};
  Task task_;
};

// Lies to a new scene each, after `told` segments of the first file (nothing: not opened yet).
void ExpectLies(std::optional<uint64_t> told, const std::vector<ResultRecord>& lies) {
  for (size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE("lie " + std::to_string(i));
    Scene scene;
    if (told) {
      EXPECT_TRUE(scene.Tell(scene.Info(0)));
    }
    for (uint64_t k = 0; k < told.value_or(0); ++k) EXPECT_TRUE(scene.Tell(TagsOf(0, k)));
    EXPECT_FALSE(scene.Tell(lies[i]));
    scene.ExpectTheLieChangedNothing(told.has_value(), told.value_or(0));
  }
}

FileInfo InfoWith(uint64_t file, int64_t samples, int32_t rate) {
  FileInfo info = InfoOf(PlainFiles(1, 2)[0], file);
  info.samples = samples;
  info.sample_rate = rate;
  return info;
}

TEST(DispatchLies, TagsBeforeTheFileIsOpened) { ExpectLies(std::nullopt, {TagsOf(0, 0)}); }

TEST(DispatchLies, InfoOfAnotherFile) {
  ExpectLies(std::nullopt, {InfoWith(1, 2000, kRate), InfoWith(99, 2000, kRate),
                            InfoWith(UINT64_MAX, 2000, kRate)});
}

TEST(DispatchLies, InfoTwice) {
  ExpectLies(0, {InfoWith(0, 1999, kRate)});
  ExpectLies(1, {InfoWith(0, 1999, kRate)});
}

TEST(DispatchLies, AFileWithoutSamplesThatOpensOrOneLongerThanAnyCanBe) {
  ExpectLies(std::nullopt, {InfoWith(0, 0, kRate), InfoWith(0, INT64_MAX, 1)});
}

TEST(DispatchLies, TagsOfAnotherFile) { ExpectLies(0, {TagsOf(1, 0), TagsOf(UINT64_MAX, 0)}); }

TEST(DispatchLies, TagsOfALaterSegmentOrOfOneTwice) {
  ExpectLies(0, {TagsOf(0, 1), TagsOf(0, UINT64_MAX)});
  ExpectLies(1, {TagsOf(0, 0)});
}

TEST(DispatchLies, ASegmentBeyondTheFilesEnd) {
  for (const ResultRecord& lie : {ResultRecord(TagsOf(0, 2)), ResultRecord(FaultOf(0, 2))}) {
    Scene scene;
    ASSERT_GT(scene.task().items[0].segment_count, 2U);
    EXPECT_TRUE(scene.Tell(scene.Info(0)));
    EXPECT_TRUE(scene.Tell(TagsOf(0, 0)));
    EXPECT_TRUE(scene.Tell(TagsOf(0, 1)));
    EXPECT_FALSE(scene.Tell(lie));
  }
}

TEST(DispatchLies, ASegmentBeyondTheTasksEnd) {
  Scene scene;
  const uint64_t count = scene.task().items[0].segment_count;
  EXPECT_TRUE(scene.Tell(InfoWith(0, 100 * kRate, kRate)));  // far longer than what is asked for
  for (uint64_t k = 0; k < count; ++k) EXPECT_TRUE(scene.Tell(TagsOf(0, k)));
  EXPECT_FALSE(scene.Tell(TagsOf(0, count)));
}

TEST(DispatchLies, ALabelThatTheBundleDoesNotHave) {
  ExpectLies(0, {SegmentTags{0, 0, {{0, 1.0F}, {kLabels, 0.5F}}},
                 SegmentTags{0, 0, {{UINT32_MAX, 1.0F}}}});
  Scene scene;
  EXPECT_TRUE(scene.Tell(scene.Info(0)));
  EXPECT_TRUE(scene.Tell(SegmentTags{0, 0, {{kLabels - 1, 1.0F}}}));
}

// Where channels are heard one by one, how many there are decides how many segments.
TEST(DispatchLies, ANumberOfChannelsThatCannotBeWhereEachIsHeard) {
  const auto honest = [](int32_t channels, int64_t samples, bool each_channel) {
    const auto files = PlainFiles(100, 2);
    const auto list = MakeList(files);
    LineSink sink;
    Dispatcher dispatcher({.segment_ns = kSegmentNs,
                           .hop_ns = kSegmentNs,
                           .each_channel = each_channel,
                           .labels = kLabels},
                          *list, sink);
    dispatcher.AddWorker(1, 1);
    EXPECT_TRUE(dispatcher.NextTask(1, 0).value());
    FileInfo info = InfoWith(0, samples, kRate);
    info.channels = channels;
    bool is = true;
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, info, is));
    return is;
  };
  for (const int32_t channels : {INT32_MIN, -1, 0, kMaxStreams + 1, kMaxChannels, INT32_MAX}) {
    EXPECT_FALSE(honest(channels, 1999, true)) << channels;
    EXPECT_TRUE(honest(channels, 1999, false)) << channels << " for people alone";
  }
  EXPECT_TRUE(honest(1, 1999, true));
  EXPECT_TRUE(honest(kMaxStreams, 1999, true));
  // More segments than any file has, of all channels together.
  const int64_t most = (int64_t{1} << 40) * kRate;
  EXPECT_TRUE(honest(1, most, true));
  EXPECT_FALSE(honest(2, most, true));
  EXPECT_TRUE(honest(kMaxStreams, most / kMaxStreams, true));
  EXPECT_FALSE(honest(kMaxStreams, most / kMaxStreams + kRate, true));
  EXPECT_FALSE(honest(kMaxStreams, INT64_MAX, true));
}

TEST(DispatchLies, AFileThatHasOtherChannelsThanBeforeHasChanged) {
  const auto files = PlainFiles(1, 400);
  const auto list = MakeList(files);
  LineSink sink;
  Dispatcher dispatcher(
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .each_channel = true, .labels = kLabels},
      *list, sink);
  dispatcher.AddWorker(1, 2);
  FileInfo info = InfoOf(files[0], 0);
  info.channels = 2;
  const auto first = dispatcher.NextTask(1, 0).value();
  ASSERT_TRUE(first);
  bool honest = false;
  ASSERT_TRUE(dispatcher.OnRecord(1, 0, info, honest) && honest);
  const auto second = dispatcher.NextTask(1, 1).value();
  ASSERT_TRUE(second);
  info.channels = 3;
  ASSERT_TRUE(dispatcher.OnRecord(1, 1, info, honest) && honest);
  dispatcher.ForEachOpen([&](const OpenFile& file) {
    ASSERT_TRUE(file.fault);
    EXPECT_EQ(file.fault->code, static_cast<uint32_t>(ErrorCode::kChanged));
    EXPECT_EQ(file.total, 800U) << "as at first";
  });
}

TEST(DispatchLies, RunsWhereTagsAreWanted) {
  ExpectLies(0, {SegmentRuns{}, SegmentRuns{.first_frame = 0, .frames = 10, .runs = {}}});
}

// Takes tags and runs alike.
struct AnySink : ResultSink {
  Status SegmentDone(const OpenFile&, const SegmentTags&) override { return Ok(); }
  Status SegmentDone(const OpenFile&, const SegmentRuns&) override { return Ok(); }
  Status SegmentCrashed(const OpenFile&, uint64_t, const std::string&) override { return Ok(); }
  Status FileDone(const OpenFile&) override { return Ok(); }
};

// Ten frames a segment; the file has 2 s less a sample.
TEST(DispatchLies, TagsOrRunsThatCannotBeWhereRunsAreWanted) {
  DispatchSettings settings{.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels};
  settings.frame_ns = kSegmentNs / 10;
  using Runs = std::vector<FrameRun>;
  const Runs by_label = {{0, 5, 2, 1.0F}, {1, 0, 3, 1.0F}};
  const Runs by_time = {{1, 0, 3, 1.0F}, {0, 5, 2, 1.0F}};
  const auto honest = [&](const ResultRecord& record, bool of_labels) {
    settings.by_label = of_labels;
    const auto files = PlainFiles(100, 2);
    const auto list = MakeList(files);
    AnySink sink;
    Dispatcher dispatcher(settings, *list, sink);
    dispatcher.AddWorker(1, 1);
    EXPECT_TRUE(dispatcher.NextTask(1, 0).value());
    bool is = false;
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, InfoOf(files[0], 0), is) && is);
    EXPECT_TRUE(
        dispatcher.OnRecord(1, 0, SegmentRuns{.first_frame = 0, .frames = 13, .runs = {}}, is) &&
        is);
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, record, is));
    return is;
  };
  const SegmentRuns good{.segment = 1, .first_frame = 13, .frames = 7, .runs = by_label};
  const auto with = [&good](auto change) {
    SegmentRuns runs = good;
    change(runs);
    return runs;
  };
  EXPECT_TRUE(honest(good, true));
  EXPECT_FALSE(honest(good, false));
  EXPECT_TRUE(honest(with([&](auto& it) { it.runs = by_time; }), false));
  EXPECT_FALSE(honest(with([&](auto& it) { it.runs = by_time; }), true));
  EXPECT_FALSE(honest(with([](auto& it) { it.runs[0].label = kLabels; }), true));
  EXPECT_FALSE(honest(with([](auto& it) { it.segment = 0; }), true));
  EXPECT_FALSE(honest(with([](auto& it) { it.frames = 8; }), true)) << "behind the file's end";
  EXPECT_FALSE(honest(with([](auto& it) { it.first_frame = UINT64_MAX; }), true));
  EXPECT_FALSE(honest(with([](auto& it) { it.first_frame = 9; }), true)) << "before the segment";
  EXPECT_FALSE(honest(TagsOf(0, 1), true));
}

// Each channel counts its own frames: segment 3 is the second one of the second channel.
TEST(DispatchLies, RunsOfAChannelBeforeItsSegment) {
  const auto honest = [](uint64_t first_frame) {
    const auto files = PlainFiles(100, 2);
    const auto list = MakeList(files);
    AnySink sink;
    Dispatcher dispatcher({.segment_ns = kSegmentNs,
                           .hop_ns = kSegmentNs,
                           .each_channel = true,
                           .labels = kLabels,
                           .frame_ns = kSegmentNs / 10},
                          *list, sink);
    dispatcher.AddWorker(1, 1);
    EXPECT_TRUE(dispatcher.NextTask(1, 0).value());
    FileInfo info = InfoOf(files[0], 0);
    info.channels = 2;
    bool is = false;
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, info, is) && is);
    for (uint64_t s = 0; s < 3; ++s) {
      const SegmentRuns runs{.segment = s, .first_frame = s / 2 * 10, .frames = 10, .runs = {}};
      EXPECT_TRUE(dispatcher.OnRecord(1, 0, runs, is) && is) << s;
    }
    const SegmentRuns runs{.segment = 3, .first_frame = first_frame, .frames = 5, .runs = {}};
    EXPECT_TRUE(dispatcher.OnRecord(1, 0, runs, is));
    return is;
  };
  EXPECT_TRUE(honest(10));
  EXPECT_TRUE(honest(15));
  EXPECT_FALSE(honest(9));
  EXPECT_FALSE(honest(16)) << "behind the file's end";
}

TEST(DispatchLies, AFaultOfAnotherFileOrSegment) {
  ExpectLies(std::nullopt, {FaultOf(1, 0), FaultOf(77, 0), FaultOf(0, 1)});
  ExpectLies(1, {FaultOf(0, 0), FaultOf(0, 2), FaultOf(1, 1)});
}

TEST(DispatchLies, DoneWithAnotherTask) { ExpectLies(1, {TaskDone{0, {}}, TaskDone{2, {}}}); }

TEST(DispatchLies, DoneBeforeItGotOn) {
  const uint64_t task = Scene().task().id;
  ExpectLies(std::nullopt, {TaskDone{task, {}}});
  ExpectLies(0, {TaskDone{task, {}}});
}

TEST(DispatchLies, DoneTwice) {
  Scene scene;
  for (const auto& item : scene.task().items) EXPECT_TRUE(scene.Tell(FaultOf(item.file, 0)));
  EXPECT_TRUE(scene.Tell(TaskDone{scene.task().id, {}}));
  EXPECT_TRUE(scene.dispatcher().Idle());
  EXPECT_FALSE(scene.Tell(TaskDone{scene.task().id, {}}));
}

TEST(DispatchLies, AnythingAfterTheLastItemButItsEnd) {
  for (int kind = 0; kind < 4; ++kind) {
    Scene scene;
    for (const auto& item : scene.task().items) EXPECT_TRUE(scene.Tell(FaultOf(item.file, 0)));
    const uint64_t last = scene.task().items.back().file;
    if (kind == 0) {
      EXPECT_FALSE(scene.Tell(scene.Info(last)));
    }
    if (kind == 1) {
      EXPECT_FALSE(scene.Tell(TagsOf(last, 0)));
    }
    if (kind == 2) {
      EXPECT_FALSE(scene.Tell(FaultOf(last, 0)));
    }
    if (kind == 3) {
      EXPECT_TRUE(scene.Tell(TaskDone{scene.task().id, {}}));
    }
  }
}

TEST(DispatchLies, AnythingFromAnEngineWithoutATaskOrAWorkerThatIsNotThere) {
  const uint64_t task = Scene().task().id;
  const ResultRecord records[] = {Scene().Info(0), TagsOf(0, 0), FaultOf(0, 0), TaskDone{task, {}}};
  for (const auto& record : records) {
    Scene scene;
    EXPECT_FALSE(scene.Tell(record, 1));
    EXPECT_FALSE(scene.Tell(record, 0, kWorker + 9));
    EXPECT_TRUE(scene.Tell(scene.Info(0))) << "engine 0 has not lied";
  }
}

TEST(DispatchLies, TheSecondTasksRecordsBeforeTheFirstIsDone) {
  for (const bool done : {true, false}) {
    Scene scene;
    const auto second = scene.dispatcher().NextTask(kWorker, 0).value();
    ASSERT_TRUE(second);
    EXPECT_FALSE(done ? scene.Tell(TaskDone{second->id, {}})
                      : scene.Tell(scene.Info(second->items[0].file)));
  }
}

TEST(DispatchLies, DamageCountsAsOne) {
  Scene scene;
  EXPECT_TRUE(scene.Tell(scene.Info(0)));
  EXPECT_TRUE(scene.Tell(TagsOf(0, 0)));
  scene.dispatcher().OnDamage(kWorker, 0);
  scene.dispatcher().OnDamage(kWorker + 9, 0);
  scene.ExpectTheLieChangedNothing(true, 1);
}

TEST(DispatchLies, AbsurdTimesAreTakenAsFarAsTheyCanBeTrue) {
  Scene scene;
  EXPECT_TRUE(scene.Tell(scene.Info(0)));
  EXPECT_TRUE(scene.Tell(TagsOf(0, 0)));
  TaskDone done{scene.task().id, {}};
  done.stage_ns.fill(INT64_MAX);
  done.stage_ns[1] = INT64_MIN;
  EXPECT_TRUE(scene.Tell(done));
  EXPECT_EQ(scene.dispatcher().stage_ns()[1], 0);
  EXPECT_GE(scene.dispatcher().stage_ns()[2], 0);
}

}  // namespace
}  // namespace consort::test
