#include "supervisor/job/file_total.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// 25.5 s at 1,000 Hz: segments of 3 s, end to end, the ninth is padded.
FileRow Row(uint64_t segments) {
  FileRow row;
  row.samples = 25'500;
  row.rate = 1000;
  row.segments = segments;
  return row;
}

TEST(Counted, OfAWholeFileIsItsLength) {
  const auto counted = FileTotalOf(Row(9), {}, 3 * kSecond, 3 * kSecond);
  EXPECT_EQ(counted.segments, 9U);
  EXPECT_DOUBLE_EQ(counted.audio_seconds, 25.5);
}

TEST(Counted, OfAFileThatEndsInAFaultIsWhatLiesBeforeIt) {
  const auto counted = FileTotalOf(Row(4), {}, 3 * kSecond, 3 * kSecond);
  EXPECT_EQ(counted.segments, 4U);
  EXPECT_DOUBLE_EQ(counted.audio_seconds, 12);
}

TEST(Counted, HasNoSegmentThatWasGivenUp) {
  const auto counted = FileTotalOf(Row(9), {1, 8}, 3 * kSecond, 3 * kSecond);
  EXPECT_EQ(counted.segments, 7U);
  EXPECT_DOUBLE_EQ(counted.audio_seconds, 25.5 - 3 - 1.5);
  EXPECT_EQ(FileTotalOf(Row(4), {1, 8}, 3 * kSecond, 3 * kSecond).segments, 3U)
      << "the last one lies beyond the fault";
}

TEST(Counted, OfChannelsHeardOneByOneIsTheSoundOfEach) {
  FileRow row = Row(27);
  row.channels = 3;
  auto counted = FileTotalOf(row, {}, 3 * kSecond, 3 * kSecond);
  EXPECT_EQ(counted.segments, 27U);
  EXPECT_DOUBLE_EQ(counted.audio_seconds, 3 * 25.5);
  // A fault in the second channel's fifth segment; the third channel's second, and the first's
  // ninth, crashed.
  row.segments = 13;
  counted = FileTotalOf(row, {5, 24}, 3 * kSecond, 3 * kSecond);
  EXPECT_EQ(counted.segments, 12U);
  EXPECT_DOUBLE_EQ(counted.audio_seconds, 15 + 12 + 12 - 3);
  row.segments = 26;  // all but the last of the third channel
  EXPECT_DOUBLE_EQ(FileTotalOf(row, {24}, 3 * kSecond, 3 * kSecond).audio_seconds,
                   25.5 + 25.5 + 24 - 1.5);
}

TEST(Counted, OfAFileThatWasNeverOpenedIsNothing) {
  FileRow row;
  EXPECT_EQ(FileTotalOf(row, {0}, 3 * kSecond, 3 * kSecond).segments, 0U);
  EXPECT_EQ(FileTotalOf(row, {0}, 3 * kSecond, 3 * kSecond).audio_seconds, 0);
}

}  // namespace
}  // namespace consort
