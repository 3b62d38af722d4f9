#include "supervisor/plan/ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace consort {
namespace {

TEST(RangeSet, OfNothingLacksZero) { EXPECT_EQ(RangeSet().FirstMissing(), 0U); }

TEST(RangeSet, RefusesANumberThatIsInAlready) {
  RangeSet set;
  for (const uint64_t number : {5, 6, 4, 0, 9}) EXPECT_TRUE(set.Add(number));
  for (const uint64_t number : {0, 4, 5, 6, 9}) EXPECT_FALSE(set.Add(number));
  EXPECT_TRUE(set.Add(7));
  EXPECT_TRUE(set.Add(3));
}

TEST(RangeSet, JoinsRangesWhenTheGapBetweenThemIsClosed) {
  RangeSet set;
  for (const uint64_t number : {0, 1, 3, 4}) set.Add(number);
  EXPECT_EQ(set.FirstMissing(), 2U);
  EXPECT_TRUE(set.Add(2));
  EXPECT_EQ(set.FirstMissing(), 5U);
}

TEST(RangeSet, IsASetOfNumbersInAnyOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    const uint64_t below = 1 + random() % 60;
    RangeSet set;
    std::set<uint64_t> plain;
    for (int i = 0; i < 200; ++i) {
      const uint64_t number = random() % below;
      ASSERT_EQ(set.Add(number), plain.insert(number).second) << "seed " << seed;
      uint64_t missing = 0;
      while (plain.contains(missing)) ++missing;
      ASSERT_EQ(set.FirstMissing(), missing) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace consort
