#include <gtest/gtest.h>

#include "supervisor/view/line_limit.h"

namespace consort {
namespace {

constexpr int64_t kSecond = LineLimit::kWindowNs;

TEST(LineLimit, ShowsSoManyASecondAndCountsTheRestOnce) {
  LineLimit limit(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take(i));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limit.Take(kSecond / 2));
  EXPECT_EQ(limit.TakeHidden(kSecond - 1), 0U) << "more may come";
  EXPECT_EQ(limit.TakeHidden(kSecond), 5U);
  EXPECT_EQ(limit.TakeHidden(kSecond), 0U);
  EXPECT_TRUE(limit.Take(kSecond));
}

TEST(LineLimit, LetsASlowWriterPass) {
  LineLimit limit(1);
  for (int64_t second = 5; second < 20; ++second) EXPECT_TRUE(limit.Take(second * kSecond));
  EXPECT_EQ(limit.TakeHidden(30 * kSecond, true), 0U);
}

TEST(LineLimit, TellsAllAtTheEnd) {
  LineLimit limit(1);
  EXPECT_TRUE(limit.Take(7));
  EXPECT_FALSE(limit.Take(8));
  EXPECT_EQ(limit.TakeHidden(9, true), 1U);
}

}  // namespace
}  // namespace consort
