// The rate of a window, by made-up results.
#include <gtest/gtest.h>

#include <random>

#include "supervisor/adapt/rate_window.h"

namespace consort {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr int64_t kFrom = 100 * kSecond;

// Results of forwards of `batch` segments every `every_ns`, give or take, from some time before the
// window until its end.
void Work(RateWindow& window, size_t slot, int64_t every_ns, int64_t to_ns, int batch = 1,
          double uneven = 0, uint64_t seed = 1) {
  std::mt19937_64 random(seed * 1000 + slot);
  std::normal_distribution<double> normal;
  int64_t last_ns = kFrom - every_ns / 3;
  for (;;) {
    const double took = std::max(0.1, 1 + uneven * normal(random));
    const auto at_ns = last_ns + static_cast<int64_t>(took * static_cast<double>(every_ns));
    if (at_ns > to_ns) return;
    for (int k = 0; k < batch; ++k) window.Add(slot, last_ns, at_ns + k, k == 0);
    last_ns = at_ns;
  }
}

TEST(RateWindow, IsNotMisledByWhereItsEdgesFall) {
  for (const int64_t ms : {3000, 3100, 3333, 3900}) {
    RateWindow window(2, kFrom);
    const int64_t to_ns = kFrom + ms * kMs;
    Work(window, 0, 500 * kMs, to_ns);
    Work(window, 1, 250 * kMs, to_ns);
    const auto rate = window.Close(to_ns);
    EXPECT_NEAR(rate.per_second, 6, 1e-6) << ms;
    EXPECT_LT(rate.error, 0.02) << ms;
    EXPECT_EQ(window.FewestBursts(), static_cast<uint64_t>((ms + 166) / 500));
  }
}

TEST(RateWindow, CountsAllSegmentsOfAForward) {
  RateWindow window(1, kFrom);
  Work(window, 0, 100 * kMs, kFrom + 4 * kSecond, 8);
  EXPECT_NEAR(window.Close(kFrom + 4 * kSecond).per_second, 80, 1e-6);
}

TEST(RateWindow, LeavesOutWhatIsNotItsOwn) {
  RateWindow window(1, kFrom);
  window.Add(0, kFrom - kSecond, kFrom, true);        // before it began
  window.Add(0, kFrom, kFrom + kMs, false);           // of that forward
  window.Add(7, kFrom - kSecond, kFrom + kMs, true);  // of a worker that is none of them
  EXPECT_EQ(window.FewestBursts(), 0U);
  EXPECT_EQ(window.Close(kFrom + kSecond).per_second, 0);
  Work(window, 0, 10 * kMs, kFrom + kSecond);
  EXPECT_NEAR(window.Close(kFrom + kSecond).per_second, 100, 1e-6);
}

TEST(RateWindow, OfTooFewResultsSaysThatNothingIsSure) {
  RateWindow window(2, kFrom);
  Work(window, 0, 10 * kMs, kFrom + kSecond);
  Work(window, 1, 400 * kMs, kFrom + kSecond);
  EXPECT_EQ(window.FewestBursts(), 2U);
  EXPECT_EQ(window.Close(kFrom + kSecond).per_second, 0);
  EXPECT_EQ(window.Close(kFrom + kSecond).error, 1);
}

TEST(RateWindow, KnowsItsError) {
  // Of many windows: what it says is what is off.
  for (const int batch : {1, 4}) {
    double squares = 0;
    double said = 0;
    constexpr int kWindows = 200;
    for (uint64_t seed = 1; seed <= kWindows; ++seed) {
      RateWindow window(4, kFrom);
      for (size_t slot = 0; slot < 4; ++slot) {
        Work(window, slot, 100 * kMs, kFrom + 4 * kSecond, batch, 0.3, seed);
      }
      const auto rate = window.Close(kFrom + 4 * kSecond);
      const double off = rate.per_second / (40.0 * batch) - 1;
      squares += off * off;
      said += rate.error * rate.error;
    }
    EXPECT_NEAR(std::sqrt(said / squares), 1.1, 0.25) << batch;
  }
}

TEST(RateWindow, SeesThatTheSpeedChangedWithinIt) {
  RateWindow window(1, kFrom);
  int64_t at_ns = kFrom;
  for (int k = 0; k < 200; ++k) {
    const int64_t began_ns = at_ns;
    at_ns += k < 100 ? 10 * kMs : 20 * kMs;
    window.Add(0, began_ns, at_ns, true);
  }
  EXPECT_GT(window.Close(at_ns).error, 0.06) << "as if each were by chance it would be 0.02";
}

}  // namespace
}  // namespace consort
