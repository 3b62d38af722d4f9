// The transform and the sparse filters against their definitions.
#include "worker/features/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "worker/features/mel.h"

namespace consort {
namespace {

template <typename Real = float>
std::vector<Real> Noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<Real> values(-1, 1);
  std::vector<Real> noise(count);
  for (Real& value : noise) value = values(random);
  return noise;
}

// `allowed`: of a bin, relative to the square root of the size.
template <typename Real>
void ExpectTheSumOfItsDefinition(int64_t samples, double allowed) {
  const auto size = static_cast<size_t>(samples);
  const auto fft = RealFft<Real>::Make(samples);
  ASSERT_TRUE(fft) << fft.error().Sentence();
  const auto in = Noise<Real>(size, 1);
  std::vector<Real> out(2 * (size / 2 + 1));
  fft.value()->Forward(in, out);
  for (size_t bin = 0; bin <= size / 2; ++bin) {
    double real = 0;
    double imaginary = 0;
    for (size_t n = 0; n < size; ++n) {
      const double angle =
          2 * std::numbers::pi * static_cast<double>(bin * n % size) / static_cast<double>(size);
      real += in[n] * std::cos(angle);
      imaginary -= in[n] * std::sin(angle);
    }
    EXPECT_NEAR(out[2 * bin], real, allowed * std::sqrt(static_cast<double>(size))) << bin;
    EXPECT_NEAR(out[2 * bin + 1], imaginary, allowed * std::sqrt(static_cast<double>(size))) << bin;
  }
}

class RealFftOf : public testing::TestWithParam<int64_t> {};

TEST_P(RealFftOf, IsTheSumOfItsDefinition) {
  ExpectTheSumOfItsDefinition<float>(GetParam(), 1e-5);
  ExpectTheSumOfItsDefinition<double>(GetParam(), 1e-12);
}

// Powers of two, products of small primes, odd ones, a prime, and the smallest.
INSTANTIATE_TEST_SUITE_P(Size, RealFftOf, testing::Values(1, 2, 3, 256, 400, 441, 509, 1024, 2048));

FeatureSpec Spec(int64_t n_fft, int64_t n_mels, double f_max) {
  FeatureSpec spec;
  spec.n_fft = n_fft;
  spec.n_mels = n_mels;
  spec.f_max = f_max;
  return spec;
}

class MelFiltersOf : public testing::TestWithParam<FeatureSpec> {};

TEST_P(MelFiltersOf, GiveWhatTheWholeBankGives) {
  const FeatureSpec spec = GetParam();
  const auto bank = MelFilterBank(spec, 32000);
  const auto mels = static_cast<size_t>(spec.n_mels);
  const size_t bins = bank.size() / mels;
  const MelFilters filters(bank, spec.n_mels);
  auto spectrum = Noise(bins, 2);
  for (float& power : spectrum) power *= power;
  spectrum.resize(filters.padded_bins());
  std::vector<float> sums(mels);
  filters.Apply(spectrum, sums);
  for (size_t mel = 0; mel < mels; ++mel) {
    double expected = 0;
    for (size_t bin = 0; bin < bins; ++bin) {
      expected += double{spectrum[bin]} * double{bank[bin * mels + mel]};
    }
    EXPECT_NEAR(sums[mel], expected, 1e-6 * std::max(1.0, expected)) << mel;
  }
}

// Many bins a filter, filters without a bin, up to the last bin, a single bin in all.
INSTANTIATE_TEST_SUITE_P(Spec, MelFiltersOf,
                         testing::Values(Spec(1024, 64, 14000), Spec(256, 128, 16000),
                                         Spec(2048, 1, 16000), Spec(1, 2, 16000)));

TEST(MelFilters, LetNotANumberThroughWhereAFilterHasNoBin) {
  const MelFilters filters(MelFilterBank(Spec(256, 128, 16000), 32000), 128);
  std::vector<float> spectrum(filters.padded_bins());
  std::fill_n(spectrum.begin(), 129, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> sums(128);
  filters.Apply(spectrum, sums);
  for (const float sum : sums) EXPECT_TRUE(std::isnan(sum));
}

}  // namespace
}  // namespace consort
