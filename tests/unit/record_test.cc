// Records there and back, and every way to damage one: a reader never reads beyond the record, and
// never takes a damaged one for whole. Each record is decoded from an exact copy on the heap, so
// that the address sanitizer sees one byte too many.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <random>

#include "shared/record/error_code.h"
#include "shared/record/result.h"
#include "shared/record/task.h"
#include "shared/record/wire.h"

namespace consort {
namespace {

using Bytes = std::vector<uint8_t>;

std::unique_ptr<uint8_t[]> ExactCopy(const Bytes& bytes) {
  auto copy = std::make_unique<uint8_t[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

Status Decode(uint32_t type, const Bytes& bytes, ResultRecord& out) {
  return DecodeResult(type, ExactCopy(bytes).get(), bytes.size(), out);
}
Result<Task> Decode(const Bytes& bytes) { return DecodeTask(ExactCopy(bytes).get(), bytes.size()); }

FileInfo SomeInfo() { return {7, 48'000, 44'100, 3, 96'044, -5, 2, kHeaderUnfinished, "wav"}; }
SegmentTags SomeTags() { return {1, 2, {{3, 0.5F}, {4, -0.25F}}, 12'345'678, -9}; }
FileFault SomeFault() {
  return {9, 8, 123, static_cast<uint32_t>(ErrorCode::kTruncated), "ends early"};
}
SegmentRuns SomeRuns() {
  return {1,  2, 300, 50, {{3, 0, 4, 0.5F, FrameRun::kOn}, {4, 48, 2, -1.0F, FrameRun::kBetween}},
          77, -9};
}
TaskDone SomeDone() { return {5, {1, 2, 3, 4, 5, 6, 7}}; }
Task SomeTask() { return {11, 2'000'000'000, {{1, 2, 3, "a.wav"}, {4, 5, 6, ""}}}; }

template <typename Record>
Record ThereAndBack(const Record& record, uint32_t type) {
  Bytes bytes;
  EXPECT_EQ(Encode(record, bytes), type);
  EXPECT_LE(bytes.size(), kMaxResultBytes);
  ResultRecord out;
  EXPECT_TRUE(Decode(type, bytes, out));
  return std::get<Record>(out);
}

TEST(ResultRecords, ComeBackAsTheyWent) {
  const auto info = ThereAndBack(SomeInfo(), kFileInfoRecord);
  EXPECT_EQ(std::tie(info.file, info.samples, info.sample_rate, info.segment_alignment),
            std::make_tuple(uint64_t{7}, int64_t{48'000}, 44'100, uint32_t{3}));
  EXPECT_EQ(info.size_bytes, 96'044);
  EXPECT_EQ(info.mtime_ns, -5);
  EXPECT_EQ(std::tie(info.channels, info.flags, info.container),
            std::make_tuple(2, kHeaderUnfinished, std::string("wav")));
  const auto tags = ThereAndBack(SomeTags(), kSegmentTagsRecord);
  EXPECT_EQ(tags.file, 1U);
  EXPECT_EQ(tags.segment, 2U);
  EXPECT_EQ(tags.taken_ns, 12'345'678);
  EXPECT_EQ(tags.published_ns, -9);
  ASSERT_EQ(tags.tags.size(), 2U);
  EXPECT_EQ(tags.tags[1].label, 4U);
  EXPECT_EQ(tags.tags[1].score, -0.25F);
  const auto runs = ThereAndBack(SomeRuns(), kSegmentRunsRecord);
  EXPECT_EQ(std::tie(runs.file, runs.segment, runs.first_frame, runs.frames),
            std::make_tuple(uint64_t{1}, uint64_t{2}, uint64_t{300}, uint32_t{50}));
  EXPECT_EQ(runs.taken_ns, 77);
  EXPECT_EQ(runs.published_ns, -9);
  ASSERT_EQ(runs.runs.size(), 2U);
  const FrameRun& last = runs.runs[1];
  EXPECT_EQ(std::tie(last.label, last.first, last.count, last.score),
            std::make_tuple(4U, 48U, 2U, -1.0F));
  EXPECT_EQ(last.level, FrameRun::kBetween);
  const auto fault = ThereAndBack(SomeFault(), kFileFaultRecord);
  EXPECT_EQ(std::tie(fault.file, fault.segment, fault.at_sample, fault.message),
            std::make_tuple(uint64_t{9}, uint64_t{8}, int64_t{123}, std::string("ends early")));
  EXPECT_EQ(fault.code, static_cast<uint32_t>(ErrorCode::kTruncated));
  const auto done = ThereAndBack(SomeDone(), kTaskDoneRecord);
  EXPECT_EQ(done.task, 5U);
  EXPECT_EQ(done.stage_ns, SomeDone().stage_ns);
}

TEST(ResultRecords, TakeTheirExtremes) {
  SegmentTags most{0, UINT64_MAX, std::vector<Tag>(kMaxTags, Tag{UINT32_MAX, 1.0F})};
  EXPECT_EQ(ThereAndBack(most, kSegmentTagsRecord).tags.size(), kMaxTags);
  EXPECT_TRUE(ThereAndBack(SegmentTags{}, kSegmentTagsRecord).tags.empty());
  SegmentRuns many{0, UINT64_MAX, UINT64_MAX, UINT32_MAX,
                   std::vector<FrameRun>(kMaxRuns, {UINT32_MAX, 0, UINT32_MAX, 0.5F})};
  EXPECT_EQ(ThereAndBack(many, kSegmentRunsRecord).runs.size(), kMaxRuns);
  EXPECT_TRUE(ThereAndBack(SegmentRuns{}, kSegmentRunsRecord).runs.empty());
  FileFault wordy = SomeFault();
  wordy.message.assign(3 * kMaxFaultMessage, 'm');
  EXPECT_EQ(ThereAndBack(wordy, kFileFaultRecord).message,
            std::string(kMaxFaultMessage, 'm'));  // cut, not refused
}

TEST(ResultRecords, OfATypeUseTheSameMemoryAgainWithoutMixingUp) {
  ResultRecord out;
  Bytes bytes;
  Encode(SegmentTags{1, 1, std::vector<Tag>(50)}, bytes);
  EXPECT_TRUE(Decode(kSegmentTagsRecord, bytes, out));
  Encode(SegmentTags{1, 2, {{6, 0.5F}}}, bytes);
  EXPECT_TRUE(Decode(kSegmentTagsRecord, bytes, out));
  EXPECT_EQ(std::get<SegmentTags>(out).tags.size(), 1U);
}

TEST(ResultRecords, CutAnywhereOrFollowedByAnythingAreRefused) {
  const auto check = [](uint32_t type, const Bytes& whole) {
    ResultRecord out;
    ASSERT_TRUE(Decode(type, whole, out));
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(
          Decode(type, Bytes(whole.begin(), whole.begin() + static_cast<int64_t>(size)), out))
          << "type " << type << " cut to " << size;
    }
    Bytes longer = whole;
    longer.push_back(0);
    EXPECT_FALSE(Decode(type, longer, out)) << "type " << type;
  };
  Bytes bytes;
  check(Encode(SomeInfo(), bytes), bytes);
  check(Encode(SomeTags(), bytes), bytes);
  check(Encode(SomeFault(), bytes), bytes);
  check(Encode(SomeDone(), bytes), bytes);
  check(Encode(SomeRuns(), bytes), bytes);
}

TEST(ResultRecords, OfUnknownTypeAreRefused) {
  Bytes bytes;
  Encode(SomeInfo(), bytes);
  ResultRecord out;
  for (const uint32_t type : {0U, 6U, UINT32_MAX}) EXPECT_FALSE(Decode(type, bytes, out));
}

TEST(ResultRecords, WithNumbersThatCannotBeAreRefused) {
  const auto refused = [](const auto& record) {
    Bytes bytes;
    ResultRecord out;
    const uint32_t type = Encode(record, bytes);
    return !Decode(type, bytes, out);
  };
  FileInfo info = SomeInfo();
  info.samples = -1;
  EXPECT_TRUE(refused(info));
  info = SomeInfo();
  for (const int32_t rate : {0, -44'100, std::numeric_limits<int32_t>::min()}) {
    info.sample_rate = rate;
    EXPECT_TRUE(refused(info));
  }
  info = SomeInfo();
  info.segment_alignment = 0;
  EXPECT_TRUE(refused(info));
  for (const int32_t channels : {-1, kMaxChannels + 1}) {
    info = SomeInfo();
    info.channels = channels;
    EXPECT_TRUE(refused(info));
  }
  info = SomeInfo();
  info.flags = kAllFileFlags + 1;
  EXPECT_TRUE(refused(info));
  for (const char* name : {"WAV", "a\"b", "a b", "\n"}) {
    info = SomeInfo();
    info.container = name;
    EXPECT_TRUE(refused(info)) << name;
  }
  FileFault fault = SomeFault();
  for (const uint32_t code : {0U, 15U, UINT32_MAX}) {
    fault.code = code;
    EXPECT_TRUE(refused(fault)) << code;
  }
  EXPECT_TRUE(refused(SegmentTags{0, 0, std::vector<Tag>(kMaxTags + 1)}));
  const auto with = [](FrameRun run) {
    SegmentRuns runs = SomeRuns();
    runs.runs[1] = run;
    return runs;
  };
  EXPECT_FALSE(refused(with({4, 48, 2, -1.0F, FrameRun::kOn})));
  EXPECT_TRUE(refused(with({4, 48, 3, -1.0F, FrameRun::kOn}))) << "beyond the segment's frames";
  EXPECT_TRUE(refused(with({4, 50, 0, -1.0F, FrameRun::kOn})));
  EXPECT_TRUE(refused(with({4, 2, UINT32_MAX, 1.0F, FrameRun::kOn})));
  EXPECT_TRUE(refused(with({4, 48, 0, -1.0F, FrameRun::kOn}))) << "without frames";
  EXPECT_TRUE(refused(with({4, 48, 2, std::numeric_limits<float>::quiet_NaN(), FrameRun::kOn})));
  EXPECT_TRUE(refused(with({4, 48, 2, std::numeric_limits<float>::infinity(), FrameRun::kOn})));
  EXPECT_TRUE(refused(with({4, 48, 2, 1.0F, 0})));
  EXPECT_TRUE(refused(with({4, 48, 2, 1.0F, 3})));
}

TEST(ResultRecords, OfRunsHaveAnOrder) {
  using Runs = std::vector<FrameRun>;
  EXPECT_TRUE(InOrderOfTime({}) && InOrderOfLabels({}));
  EXPECT_TRUE(InOrderOfTime(Runs{{5, 0, 2, 0}, {1, 2, 1, 0}, {5, 9, 1, 0}}));
  EXPECT_FALSE(InOrderOfTime(Runs{{5, 0, 2, 0}, {1, 1, 1, 0}})) << "a frame in two";
  EXPECT_FALSE(InOrderOfTime(Runs{{5, 3, 2, 0}, {1, 1, 1, 0}}));
  EXPECT_TRUE(InOrderOfLabels(Runs{{1, 5, 2, 0}, {1, 7, 2, 0}, {2, 0, 9, 0}}));
  EXPECT_FALSE(InOrderOfLabels(Runs{{1, 5, 2, 0}, {1, 6, 2, 0}}));
  EXPECT_FALSE(InOrderOfLabels(Runs{{2, 0, 1, 0}, {1, 5, 2, 0}}));
}

TEST(ResultRecords, TellWhichSegmentTheyAreOf) {
  const auto told = SegmentOf(SomeRuns());
  ASSERT_TRUE(told);
  EXPECT_EQ(std::tie(told->file, told->segment, told->taken_ns, told->published_ns),
            std::make_tuple(uint64_t{1}, uint64_t{2}, int64_t{77}, int64_t{-9}));
  EXPECT_EQ(SegmentOf(SomeTags())->taken_ns, 12'345'678);
  EXPECT_FALSE(SegmentOf(SomeInfo()) || SegmentOf(SomeFault()) || SegmentOf(SomeDone()));
}

// It decides nothing but what figures show.
TEST(ResultRecords, ATimeThatCannotBeIsTakenForTheNearestThatCan) {
  for (const auto& [said, believed] : {std::pair<int64_t, int64_t>{-1, 0},
                                       {INT64_MIN, 0},
                                       {kMostTakenNs, kMostTakenNs},
                                       {kMostTakenNs + 1, kMostTakenNs},
                                       {INT64_MAX, kMostTakenNs}}) {
    SegmentTags tags = SomeTags();
    tags.taken_ns = said;
    EXPECT_EQ(ThereAndBack(tags, kSegmentTagsRecord).taken_ns, believed) << said;
  }
}

TEST(ResultRecords, WithALengthThatLiesAreRefused) {
  ResultRecord out;
  Bytes tags;
  Encode(SomeTags(), tags);
  Bytes fault;
  Encode(SomeFault(), fault);
  Bytes runs;
  Encode(SomeRuns(), runs);
  for (const uint32_t lie : {0U, 1U, 3U, 4096U, 4097U, 0x7fffffffU, 0x80000000U, UINT32_MAX}) {
    std::memcpy(tags.data() + 32, &lie, sizeof(lie));
    EXPECT_FALSE(Decode(kSegmentTagsRecord, tags, out)) << lie;
    std::memcpy(runs.data() + 44, &lie, sizeof(lie));
    EXPECT_FALSE(Decode(kSegmentRunsRecord, runs, out)) << lie;
    std::memcpy(fault.data() + 28, &lie, sizeof(lie));
    EXPECT_FALSE(Decode(kFileFaultRecord, fault, out)) << lie;
  }
}

TEST(ResultRecords, OfRandomBytesNeverHarmTheReader) {
  std::mt19937_64 random(1);
  ResultRecord out;
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto type = static_cast<uint32_t>(random() % 7);
    Bytes bytes;
    if (i % 2 == 0) {
      bytes.resize(random() % 200);
      for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    } else {  // one byte of a whole one
      if (type == kFileInfoRecord) Encode(SomeInfo(), bytes);
      if (type == kSegmentTagsRecord) Encode(SomeTags(), bytes);
      if (type == kFileFaultRecord) Encode(SomeFault(), bytes);
      if (type == kTaskDoneRecord) Encode(SomeDone(), bytes);
      if (type == kSegmentRunsRecord) Encode(SomeRuns(), bytes);
      if (!bytes.empty()) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    if (!Decode(type, bytes, out)) continue;
    ++taken;
    if (const auto* info = std::get_if<FileInfo>(&out)) {
      ASSERT_TRUE(info->samples >= 0 && info->sample_rate > 0 && info->segment_alignment > 0);
    } else if (const auto* fault = std::get_if<FileFault>(&out)) {
      ASSERT_TRUE(ToErrorCode(fault->code) && fault->message.size() <= kMaxFaultMessage);
    }
  }
  EXPECT_GT(taken, 100);
}

TEST(TaskRecords, ComeBackAsTheyWent) {
  Bytes bytes;
  Encode(SomeTask(), bytes);
  const auto task = Decode(bytes);
  ASSERT_TRUE(task);
  EXPECT_EQ(task.value().id, 11U);
  EXPECT_EQ(task.value().time_slice_ns, 2'000'000'000);
  ASSERT_EQ(task.value().items.size(), 2U);
  EXPECT_EQ(task.value().items[0].path, "a.wav");
  EXPECT_EQ(task.value().items[1].file, 4U);
  EXPECT_EQ(task.value().items[1].first_segment, 5U);
  EXPECT_EQ(task.value().items[1].segment_count, 6U);
}

TEST(TaskRecords, GrowByWhatEncodedSizeSays) {
  Task task = SomeTask();
  Bytes before;
  Encode(task, before);
  task.items.push_back({1, 2, 3, std::string(kMaxPathBytes, 'p')});
  Bytes after;
  Encode(task, after);
  EXPECT_EQ(after.size() - before.size(), EncodedSize(task.items.back()));
}

TEST(TaskRecords, CutAnywhereOrFollowedByAnythingAreRefused) {
  Bytes bytes;
  Encode(SomeTask(), bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Decode(Bytes(bytes.begin(), bytes.begin() + static_cast<int64_t>(size)))) << size;
  }
  bytes.push_back(0);
  EXPECT_FALSE(Decode(bytes));
}

TEST(TaskRecords, WithLengthsThatLieAreRefused) {
  for (const size_t at : {size_t{16}, size_t{44}}) {  // items; the first path
    for (const uint32_t lie : {0U, 1U, 77U, 0x80000000U, UINT32_MAX}) {
      Bytes bytes;
      Encode(SomeTask(), bytes);
      std::memcpy(bytes.data() + at, &lie, sizeof(lie));
      EXPECT_FALSE(Decode(bytes)) << at << " " << lie;
    }
  }
}

TEST(Wire, AReaderThatHasFailedGivesZeroForGood) {
  Bytes bytes;
  WireWriter writer(bytes);
  writer.Put(uint32_t{5});
  writer.Put(uint32_t{6});
  const auto copy = ExactCopy(bytes);
  WireReader reader(copy.get(), bytes.size());
  EXPECT_EQ(reader.Get<uint32_t>(), 5U);
  EXPECT_EQ(reader.Get<uint64_t>(), 0U);
  EXPECT_FALSE(reader.good());
  EXPECT_EQ(reader.Get<uint32_t>(), 0U) << "though four bytes are left";
  EXPECT_EQ(reader.GetBytes(), "");
  EXPECT_FALSE(reader.done());
}

TEST(ErrorCodes, HaveEachANameOfTheirOwn) {
  std::vector<std::string_view> names;
  for (uint32_t number = 0; number < 100; ++number) {
    const auto code = ToErrorCode(number);
    EXPECT_EQ(code.has_value(), number >= 1 && number <= 14) << number;
    if (code) names.push_back(ErrorCodeName(*code));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

}  // namespace
}  // namespace consort
