// A dispatcher that stops anywhere and another that goes on: together they give the results of one
// engine doing one segment after another.
#include <algorithm>

#include "dispatch_world.h"

namespace consort::test {
namespace {

// What a journal would hold at this moment.
ResumePoint PointOf(const World& world) {
  ResumePoint point;
  const auto& dispatcher = world.dispatcher();
  point.segments = dispatcher.segments_done();
  for (const uint64_t file : world.sink().done()) point.done.Add(file);
  dispatcher.ForEachOpen([&point](const OpenFile& file) {
    ResumeFile open;
    open.info = *file.info;
    open.info.file = file.index;
    open.accounted = file.accounted;
    open.fault = file.fault;
    open.crashed = file.crashed;
    point.open.push_back(open);
  });
  point.suspects = dispatcher.Suspects();
  return point;
}

TEST(DispatchResume, GoesOnFromAnyMomentAndGivesSerialResults) {
  for (uint64_t seed = 1; seed <= 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    auto files = PlainFiles(1 + random() % 60, 1);
    for (auto& file : files) {
      file.segments = 1 + (random() % 10 == 0 ? random() % 200 : random() % 6);
      if (random() % 5 == 0) file.alignment = static_cast<uint32_t>(1 + random() % 9);
      if (random() % 5 == 0) file.alignment = kOnePassAlignment;
      if (random() % 8 == 0) {
        file.fault_at = static_cast<int64_t>(random() % (file.segments + 1)) - 1;
      } else if (random() % 6 == 0) {
        file.guilty.insert(random() % file.segments);
        file.guilty_open = random() % 5 == 0;
      }
    }
    WorldSettings settings;
    settings.seed = seed;
    settings.workers = static_cast<uint32_t>(1 + random() % 4);
    settings.engines = static_cast<uint32_t>(1 + random() % 12);
    settings.batch = 1 + random() % 4;
    settings.segment_ns = random() % 2 == 0 ? 1'000'000 : 700'000'000;
    settings.stateful = random() % 3 == 0;
    if (settings.stateful) settings.batch = 1;
    settings.each_channel = random() % 3 == 0;
    if (settings.each_channel) GiveChannels(files, random);
    World world(std::move(files), settings);
    for (int stops = 0; stops < 6; ++stops) {
      world.Run(random() % 400);
      if (world.dispatcher().AllDone() || HasFailure()) break;
      world.GoOnElsewhere(PointOf(world));
    }
    world.Run();
    EXPECT_TRUE(world.dispatcher().AllDone());
    EXPECT_EQ(world.dispatcher().files_done(), world.files().size());
    EXPECT_EQ(world.sink().text(), world.Expected());
  }
}

// A journal of before, or one that is damaged, must not be taken for one of another number.
TEST(DispatchResume, NeedsTheChannelsWhereEachIsHeard) {
  for (const int32_t channels : {-1, 0, 1, 2, kMaxStreams, kMaxStreams + 1}) {
    auto files = PlainFiles(3, 4);
    const auto list = MakeList(files);
    LineSink sink;
    Dispatcher dispatcher(
        {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .each_channel = true, .labels = kLabels},
        *list, sink);
    ResumePoint point;
    ResumeFile open;
    open.info = InfoOf(files[1], 1);
    open.info.channels = channels;
    open.accounted.Add(0);
    point.open.push_back(open);
    const Status resumed = dispatcher.Resume(point);
    EXPECT_EQ(resumed.has_value(), channels >= 1 && channels <= kMaxStreams) << channels;
    if (!resumed) {
      EXPECT_EQ(resumed.error().hint, "begin anew with --restart");
    }
    dispatcher.ForEachOpen(
        [&](const OpenFile& file) { EXPECT_EQ(file.total, 4U * static_cast<uint64_t>(channels)); });
  }
}

TEST(DispatchResume, WithEverythingDoneHasNothingToDo) {
  World world(PlainFiles(5, 2), {});
  ResumePoint point;
  point.done.AddRange(0, 5);
  world.GoOnElsewhere(point);
  EXPECT_TRUE(world.dispatcher().AllDone());
}

TEST(DispatchResume, HandsOutOnlyWhatIsMissing) {
  const auto files = PlainFiles(4, 10);
  const auto list = MakeList(files);
  LineSink sink;
  Dispatcher dispatcher(
      {.segment_ns = kSegmentNs, .hop_ns = kSegmentNs, .labels = kLabels, .tasks_ahead = 100},
      *list, sink);
  ResumePoint point;
  point.done.AddRange(0, 1);
  point.done.Add(2);
  ResumeFile open;
  open.info = InfoOf(files[1], 1);
  open.accounted.AddRange(0, 3);
  open.accounted.AddRange(5, 8);
  point.open.push_back(open);
  ASSERT_TRUE(dispatcher.Resume(point));
  EXPECT_EQ(dispatcher.files_done(), 2U);
  dispatcher.AddWorker(1, 1);
  std::set<std::pair<uint64_t, uint64_t>> asked;
  for (;;) {
    const auto task = dispatcher.NextTask(1, 0);
    ASSERT_TRUE(task);
    if (!task.value()) break;
    for (const auto& item : task.value()->items) {
      EXPECT_EQ(item.path, files[item.file].path);
      // Of a file that nobody has opened nobody knows how much there is.
      const uint64_t count = item.file == 3 ? 1 : item.segment_count;
      for (uint64_t k = 0; k < count; ++k) {
        EXPECT_TRUE(asked.emplace(item.file, item.first_segment + k).second);
      }
    }
  }
  EXPECT_EQ(asked,
            (std::set<std::pair<uint64_t, uint64_t>>{{1, 3}, {1, 4}, {1, 8}, {1, 9}, {3, 0}}));
}

}  // namespace
}  // namespace consort::test
