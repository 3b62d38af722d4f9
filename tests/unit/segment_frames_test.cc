#include "shared/segment/frames.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "shared/segment/segment.h"

namespace consort {
namespace {

TEST(Frames, AreAWholeNumberInAHop) {
  EXPECT_TRUE(FrameGrid::IsWhole(1'000'000'000, 20'000'000));
  EXPECT_FALSE(FrameGrid::IsWhole(1'010'000'000, 20'000'000));
  EXPECT_TRUE(FrameGrid::IsWhole(SecondsToNs(86 * 256 / 22050.0), SecondsToNs(256 / 22050.0)));
  EXPECT_FALSE(FrameGrid::IsWhole(1'000'000'000, 1'000'000'100)) << "more than rounding";
  EXPECT_EQ(FrameGrid::Nearest(1'010'000'001, 20'000'000), 51);
  EXPECT_EQ(FrameGrid::Nearest(1, 20'000'000), 1);
}

TEST(Frames, BeginWhereTheirHopDoesPlusWhatLiesBetween) {
  const FrameGrid grid(1'000'000'000, 333'333'333);
  EXPECT_EQ(grid.per_hop(), 3);
  EXPECT_EQ(grid.StartNs(2), 666'666'666);
  EXPECT_EQ(grid.StartNs(3), 1'000'000'000);
  EXPECT_EQ(grid.StartNs(3001), 1'000'333'333'333);
}

TEST(Frames, OfAFileAreThoseThatBeginBeforeItsEnd) {
  for (const auto& [hop_ns, frame_ns, rate] :
       {std::tuple(int64_t{1'000'000'000}, int64_t{20'000'000}, 16'000),
        std::tuple(int64_t{1'000'000'000}, int64_t{333'333'333}, 44'100),
        std::tuple(SecondsToNs(0.123), SecondsToNs(0.041), 8'000)}) {
    const FrameGrid grid(hop_ns, frame_ns);
    for (int64_t samples = 1; samples < 3 * rate; samples += 1 + samples % 97) {
      int64_t expected = 0;
      while (static_cast<long double>(grid.StartNs(expected)) * rate <
             static_cast<long double>(samples) * 1e9L) {
        ++expected;
      }
      ASSERT_EQ(grid.Count(samples, rate), expected) << samples << " samples at " << rate;
    }
  }
  EXPECT_EQ(FrameGrid(1'000'000'000, 20'000'000).Count(0, 8000), 0);
  EXPECT_GT(FrameGrid(1'000'000'000, 20'000'000).Count(INT64_MAX, 1), 0);
}

// Whatever the segment, the hop and the file: each frame is taken from one segment.
TEST(Frames, OfSegmentsFollowOneAnother) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const int64_t per_hop = 1 + random() % 20;
    const int64_t frames = random() % 60 + 1;
    const int64_t segments = 1 + random() % 6;
    const FrameGrid grid(per_hop * 1'000'000, 1'000'000);
    const int64_t whole = (segments - 1) * per_hop + frames;
    const int64_t file = 1 + random() % whole;
    int64_t next = 0;
    for (int64_t k = 0; k < segments; ++k) {
      const auto own = grid.Own(k, segments, frames, file);
      ASSERT_EQ(own.first, next);
      ASSERT_GE(own.end, own.first);
      // In its middle: as much is dropped on both sides.
      const int64_t before = own.first - k * per_hop;
      const int64_t behind = k * per_hop + frames - own.end;
      if (own.count() > 0 && k > 0 && k + 1 < segments && own.end < file) {
        ASSERT_TRUE(frames < per_hop || behind == before || behind == before + 1);
      }
      next = own.end;
    }
    ASSERT_EQ(next, std::min(file, std::max(whole, (segments - 1) * per_hop)));
  }
}

TEST(Frames, OfAFileThatCannotBeSoLongDoNotOverflow) {
  const FrameGrid grid(3'600'000'000'000, 100'000);
  const int64_t file = grid.Count(INT64_MAX, 1);
  const auto own = grid.Own(int64_t{1} << 40, (int64_t{1} << 40) + 1, 5, file);
  EXPECT_EQ(own.first, own.end);
  EXPECT_GT(grid.StartNs(file), 0);
  EXPECT_GT(SamplesToNs(INT64_MAX, 1), 0);
}

TEST(Frames, TimesAreRoundedAsSegmentsAre) {
  EXPECT_EQ(SamplesToNs(1, 3), 333'333'333);
  EXPECT_EQ(SamplesToNs(2, 3), 666'666'667);
  EXPECT_EQ(NsToMs(1'499'999), 1);
  EXPECT_EQ(NsToMs(1'500'000), 2);
}

}  // namespace
}  // namespace consort
