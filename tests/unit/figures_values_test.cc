// Histogram, rate of an engine, slices of work, thinned series: each by itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "supervisor/figures/engine_rate.h"
#include "supervisor/figures/log_histogram.h"
#include "supervisor/figures/thinned_series.h"
#include "supervisor/figures/work_slices.h"

namespace consort {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;

TEST(LogHistogram, GivesEachValueBackWithinTwoPercent) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const double bits = std::uniform_real_distribution<>(0, 50)(random);
    const auto value = static_cast<int64_t>(std::exp2(bits));
    LogHistogram histogram;
    histogram.Add(value);
    histogram.Add(LogHistogram::kMost);
    const double back = histogram.Quantile(0.5);
    EXPECT_LE(std::abs(back - static_cast<double>(value)), 0.01 * static_cast<double>(value))
        << value;
  }
}

TEST(LogHistogram, HasEachSmallValueExactly) {
  for (int64_t value = 0; value < 128; ++value) {
    LogHistogram histogram;
    histogram.Add(value);
    histogram.Add(1000);
    EXPECT_EQ(histogram.Quantile(0.5), static_cast<double>(value));
  }
}

TEST(LogHistogram, HasTheQuantilesOfManyValues) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<> spread(16, 1);  // some 9 ms, now and then a second
  LogHistogram histogram;
  std::vector<int64_t> values;
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(static_cast<int64_t>(spread(random)));
    histogram.Add(values.back());
    sum += static_cast<double>(values.back());
  }
  std::ranges::sort(values);
  for (const double share : {0.01, 0.5, 0.95, 0.99, 0.999}) {
    const auto rank = static_cast<size_t>(std::ceil(share * 100'000)) - 1;
    const auto truth = static_cast<double>(values[rank]);
    EXPECT_NEAR(histogram.Quantile(share), truth, 0.02 * truth) << share;
  }
  EXPECT_NEAR(histogram.mean(), sum / 100'000, 1e-6 * sum / 100'000);
  EXPECT_EQ(histogram.most(), values.back());
  EXPECT_EQ(histogram.count(), 100'000U);
}

TEST(LogHistogram, TakesWhatCannotBeForTheNearestThatCan) {
  LogHistogram histogram;
  histogram.Add(-5);
  EXPECT_EQ(histogram.most(), 0);
  EXPECT_EQ(histogram.Quantile(1), 0);
  histogram.Add(INT64_MAX);
  EXPECT_EQ(histogram.most(), LogHistogram::kMost);
  EXPECT_EQ(LogHistogram().Quantile(0.5), 0);
  EXPECT_EQ(LogHistogram().mean(), 0);
}

// ---- the rate of an engine ----

// Bursts of `size` results every `every_ns` in a window of ten seconds.
EngineRate Steady(int64_t first_ns, int64_t last_ns, int64_t every_ns, int size) {
  EngineRate rate;
  for (int64_t at = first_ns; at <= last_ns; at += every_ns) {
    for (int i = 0; i < size; ++i) rate.Add(at, i == 0);
  }
  return rate;
}

TEST(EngineRate, DoesNotHangOnWhereTheWindowsEdgesFell) {
  for (int64_t phase = 0; phase < 700 * kMs; phase += 37 * kMs) {
    const auto rate = Steady(phase, 10 * kSecond, 700 * kMs, 1);
    EXPECT_NEAR(rate.PerSecond(0, 10 * kSecond), 1 / 0.7, 1e-9) << phase;
    const auto bursts = Steady(phase, 10 * kSecond, 700 * kMs, 8);
    EXPECT_NEAR(bursts.PerSecond(0, 10 * kSecond), 8 / 0.7, 1e-9) << phase;
  }
}

TEST(EngineRate, ABurstThatTheWindowsEndCutsShortChangesNothing) {
  auto rate = Steady(0, 9 * kSecond, kSecond, 8);
  rate.Add(10 * kSecond, true);  // 7 more were on their way
  EXPECT_NEAR(rate.PerSecond(0, 10 * kSecond), 8, 1e-9);
}

TEST(EngineRate, OfLessThanTwoBurstsIsResultsPerWindow) {
  EngineRate rate;
  EXPECT_EQ(rate.PerSecond(0, 10 * kSecond), 0);
  rate.Add(3 * kSecond, true);
  EXPECT_NEAR(rate.PerSecond(0, 10 * kSecond), 0.1, 1e-9);
  rate.Add(3 * kSecond, false);
  EXPECT_NEAR(rate.PerSecond(0, 10 * kSecond), 0.2, 1e-9);
  EXPECT_EQ(rate.PerSecond(kSecond, kSecond), 0) << "no window";
}

TEST(EngineRate, CountsTheTimeInWhichAnEngineWasNotThere) {
  // Ten a second for five seconds of ten: before, in between, after.
  const auto late = Steady(5 * kSecond, 10 * kSecond - 1, 100 * kMs, 1);
  EXPECT_NEAR(late.PerSecond(0, 10 * kSecond), 5, 0.1);
  const auto gone = Steady(0, 5 * kSecond, 100 * kMs, 1);
  EXPECT_NEAR(gone.PerSecond(0, 10 * kSecond), 5, 0.1);
  const auto both = Steady(2 * kSecond, 7 * kSecond, 100 * kMs, 1);
  EXPECT_NEAR(both.PerSecond(0, 10 * kSecond), 5.1, 0.01) << "51 results of ten seconds";
  EngineRate gap = Steady(0, 2'500 * kMs, 100 * kMs, 1);
  for (int64_t at = 7'500 * kMs; at <= 10 * kSecond; at += 100 * kMs) gap.Add(at, true);
  EXPECT_NEAR(gap.PerSecond(0, 10 * kSecond), 5.1, 0.01);
}

// ---- slices of work ----

TEST(WorkSlices, OfEvenWorkHaveNoSpread) {
  WorkSlices slices(kSecond);
  for (int64_t at = 0; at < 21 * kSecond; at += 370 * kMs) slices.Add(at, at + 370 * kMs, 1);
  const auto spread = slices.Spread(21 * kSecond, 10);
  ASSERT_TRUE(spread);
  EXPECT_NEAR(*spread, 0, 1e-9);
}

TEST(WorkSlices, HaveTheStandardErrorOfTheirMean) {
  WorkSlices slices(0);
  // Rates 1, 2, 3, 4, 5 a second: mean 3, standard deviation √2.5.
  for (int64_t second = 0; second < 5; ++second) {
    slices.Add(second * kSecond, (second + 1) * kSecond, static_cast<double>(second + 1));
  }
  EXPECT_NEAR(slices.Spread(5 * kSecond, 5).value(), std::sqrt(2.5 / 5) / 3, 1e-9);
}

TEST(WorkSlices, OfALongWindowAreFewAndStillRight) {
  WorkSlices slices(0);
  // Five hours, each twice as fast as the one before.
  constexpr int64_t kHour = 3600 * kSecond;
  for (int64_t hour = 0; hour < 5; ++hour) {
    for (int64_t part = 0; part < 3600; ++part) {
      const int64_t at = hour * kHour + part * kSecond;
      slices.Add(at, at + kSecond, static_cast<double>(1 << hour));
    }
  }
  double squares = 0;
  for (int hour = 0; hour < 5; ++hour) squares += std::pow((1 << hour) - 6.2, 2);
  EXPECT_NEAR(slices.Spread(5 * kHour, 5).value(), std::sqrt(squares / 4 / 5) / 6.2, 1e-3);
}

TEST(WorkSlices, CountOnlyWhatLiesBehindTheBeginning) {
  WorkSlices half(10 * kSecond);
  half.Add(5 * kSecond, 15 * kSecond, 100);  // 50 in the first five seconds
  half.Add(15 * kSecond, 20 * kSecond, 50);
  half.Add(0, 10 * kSecond - 1, 1000);
  EXPECT_NEAR(half.Spread(20 * kSecond, 5).value(), 0, 1e-9);
}

TEST(WorkSlices, WithoutWorkOrPartsHaveNoSpread) {
  WorkSlices slices(0);
  EXPECT_FALSE(slices.Spread(kSecond, 5));
  slices.Add(0, kSecond, 1);
  EXPECT_FALSE(slices.Spread(0, 5));
  EXPECT_FALSE(slices.Spread(kSecond, 1));
  EXPECT_TRUE(slices.Spread(kSecond, 5));
  slices.Add(kSecond / 2, kSecond / 2, 1);  // that took no time
  EXPECT_GT(slices.Spread(kSecond, 5).value(), 0);
}

// ---- thinned series ----

TEST(ThinnedSeries, KeepsAllPointsOfAShortOne) {
  ThinnedSeries series;
  for (int64_t i = 0; i < 1500; ++i) series.Add(i * 100 * kMs, i);
  ASSERT_EQ(series.points().size(), 1500U);
  EXPECT_EQ(series.points().back().value, 1499);
}

TEST(ThinnedSeries, OfAnyLengthHasFewPointsEvenlySpaced) {
  for (const int64_t count : {2000, 2001, 5000, 100'000, 1'000'000}) {
    ThinnedSeries series;
    for (int64_t i = 0; i < count; ++i) series.Add(i * 100 * kMs + i % 7 * kMs, i);
    const auto& points = series.points();
    ASSERT_LE(points.size(), ThinnedSeries::kMost) << count;
    ASSERT_GE(points.size(), ThinnedSeries::kMost / 3) << count;
    EXPECT_EQ(points.front().value, 0);
    int64_t longest = 0;
    for (size_t i = 1; i < points.size(); ++i) {
      ASSERT_GT(points[i].at_ns, points[i - 1].at_ns);
      longest = std::max(longest, points[i].at_ns - points[i - 1].at_ns);
    }
    const int64_t whole = count * 100 * kMs;
    EXPECT_LE(longest, 3 * whole / static_cast<int64_t>(points.size())) << count;
    EXPECT_GE(points.back().at_ns, whole - 2 * longest) << count;
  }
}

}  // namespace
}  // namespace consort
