#include "shared/segment/segment.h"

#include <gtest/gtest.h>

#include <random>

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(SegmentGrid, CutsAFileIntoSegmentsAndALastShorterOne) {
  const SegmentGrid grid(3 * kSecond, 3 * kSecond, 32'000);
  EXPECT_EQ(grid.length(), 96'000);
  EXPECT_EQ(grid.Count(0), 0);
  EXPECT_EQ(grid.Count(1), 1);
  EXPECT_EQ(grid.Count(96'000), 1);
  EXPECT_EQ(grid.Count(96'001), 2);
  EXPECT_EQ(grid.Count(192'000), 2);
  EXPECT_EQ(grid.Count(192'001), 3);
  EXPECT_EQ(grid.Start(2), 192'000);
  EXPECT_EQ(grid.StartMs(1), 3000);
  EXPECT_EQ(grid.EndMs(0, 192'001), 3000);
  EXPECT_EQ(grid.EndMs(2, 192'001), 6000);
  EXPECT_EQ(grid.EndMs(2, 200'000), 6250);
}

TEST(SegmentGrid, OverlapsWhereTheHopIsShorter) {
  const SegmentGrid grid(2 * kSecond, kSecond, 8'000);
  EXPECT_EQ(grid.Count(16'000), 1);
  EXPECT_EQ(grid.Count(16'001), 2);
  EXPECT_EQ(grid.Count(24'001), 3);
  EXPECT_EQ(grid.Start(1), 8'000);
  EXPECT_EQ(grid.EndMs(1, 24'001), 3000);
}

TEST(SegmentGrid, RoundsHalvesAwayFromZero) {
  // 0.5 s at 11,025 Hz are 5512.5 samples.
  const SegmentGrid grid(kSecond / 2, kSecond / 2, 11'025);
  EXPECT_EQ(grid.length(), 5513);
  EXPECT_EQ(grid.Start(1), 5513);
  EXPECT_EQ(grid.Start(2), 11'025);
  EXPECT_EQ(grid.Start(3), 16'538);
  EXPECT_EQ(RoundSamples(1'499'999, 1000), 1);
  EXPECT_EQ(RoundSamples(1'500'000, 1000), 2);
  EXPECT_EQ(SegmentGrid(kSecond, kSecond, 2000).SampleToMs(1), 1);  // 0.5 ms
}

TEST(SegmentGrid, HasNoDriftAfterAYearOfAudio) {
  const SegmentGrid grid(kSecond / 3, kSecond / 3, 44'100);  // 333,333,333 ns
  const int64_t k = 3 * 365 * 86'400;
  EXPECT_EQ(
      grid.Start(k),
      (__extension__ static_cast<__int128>(k) * 333'333'333 * 44'100 + kSecond / 2) / kSecond);
}

TEST(SegmentGrid, TakesEverySampleOfAFileIntoSomeSegmentWhateverTheNumbers) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto hop = static_cast<int64_t>(1'000'000 + random() % (4 * kSecond));
    const auto segment = hop + static_cast<int64_t>(random() % kSecond);
    const auto rate = static_cast<int32_t>(1'000 + random() % 191'000);
    const SegmentGrid grid(segment, hop, rate);
    const auto samples = static_cast<int64_t>(1 + random() % 100'000'000);
    const int64_t count = grid.Count(samples);
    ASSERT_GE(count, 1);
    ASSERT_LT(grid.Start(count - 1), samples);
    // The last reaches the file's end (to the half sample that rounding takes), the one before
    // it does not.
    ASSERT_GE(grid.Start(count - 1) + grid.length() + 1, samples);
    if (count > 1) {
      ASSERT_LE(grid.Start(count - 2) + grid.length(), samples);
    }
    ASSERT_LE(grid.EndMs(count - 1, samples), grid.SampleToMs(samples));
  }
}

TEST(SegmentGrid, BearsFilesOfAnyLengthThatAHeaderCanClaim) {
  const SegmentGrid grid(3 * kSecond, 3 * kSecond, INT32_MAX);
  const int64_t count = grid.Count(INT64_MAX);
  ASSERT_GT(count, 0);
  EXPECT_EQ(grid.EndMs(count - 1, INT64_MAX), grid.SampleToMs(INT64_MAX));
  EXPECT_LT(grid.Start(count - 1), INT64_MAX);
}

TEST(SegmentGrid, NumbersTheSegmentsOfAllChannelsThrough) {
  const SegmentGrid one(2 * kSecond, kSecond, 8'000);
  for (const int64_t streams : {1, 2, 3, 64}) {
    const SegmentGrid grid(2 * kSecond, kSecond, 8'000, streams);
    EXPECT_EQ(grid.streams(), streams);
    EXPECT_EQ(grid.length(), one.length());
    const int64_t samples = 8'000 * 7 - 3;
    ASSERT_EQ(grid.Places(samples), one.Count(samples));
    ASSERT_EQ(grid.Count(samples), streams * one.Count(samples));
    for (int64_t s = 0; s < grid.Count(samples); ++s) {
      EXPECT_EQ(grid.Place(s) * streams + grid.Channel(s), s);
      EXPECT_LT(grid.Channel(s), streams);
      EXPECT_EQ(grid.Start(s), one.Start(s / streams));
      EXPECT_EQ(grid.StartMs(s), one.StartMs(s / streams));
      EXPECT_EQ(grid.EndMs(s, samples), one.EndMs(s / streams, samples));
    }
  }
  EXPECT_EQ(SegmentGrid(kSecond, kSecond, 1000, 3).Count(0), 0);
}

TEST(SegmentGrid, CountsNoFurtherThan63Bits) {
  EXPECT_EQ(SegmentGrid(1, 1, 1, 1024).Count(INT64_MAX), INT64_MAX);
  EXPECT_EQ(SegmentGrid(1, 1, 1).Count(INT64_MAX), INT64_MAX);
  EXPECT_EQ(SegmentGrid(kSecond, kSecond, 1, 3).Count(INT64_MAX), INT64_MAX);
  EXPECT_EQ(SegmentGrid(kSecond, kSecond, 1, 0).streams(), 1);
}

TEST(SegmentGrid, IsNeverOfNoLength) { EXPECT_EQ(SegmentGrid(1, 1, 1).length(), 1); }

TEST(Seconds, AreTakenToTheNanosecond) {
  EXPECT_EQ(SecondsToNs(3.0), 3 * kSecond);
  EXPECT_EQ(SecondsToNs(0.96), 960'000'000);
  EXPECT_EQ(SecondsToNs(0.1 + 0.2), 300'000'000);
}

}  // namespace
}  // namespace consort
