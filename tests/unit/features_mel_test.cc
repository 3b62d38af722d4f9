// The filter bank against numbers from the definitions, not from another program.
#include <gtest/gtest.h>

#include <cmath>

#include "worker/features/mel.h"

namespace consort {
namespace {

FeatureSpec Spec(FeatureSpec::MelScale scale, FeatureSpec::MelNorm norm) {
  FeatureSpec spec;
  spec.n_fft = 1024;
  spec.n_mels = 64;
  spec.f_min = 50;
  spec.f_max = 14000;
  spec.mel_scale = scale;
  spec.mel_norm = norm;
  return spec;
}

TEST(MelFilterBank, HoldsNothingOutsideOfItsRange) {
  const auto bank =
      MelFilterBank(Spec(FeatureSpec::MelScale::kHtk, FeatureSpec::MelNorm::kNone), 32000);
  ASSERT_EQ(bank.size(), 513U * 64);
  for (size_t bin = 0; bin < 513; ++bin) {
    const double hz = static_cast<double>(bin) * 31.25;
    float sum = 0;
    for (size_t mel = 0; mel < 64; ++mel) sum += bank[bin * 64 + mel];
    if (hz <= 50 || hz >= 14000) {
      EXPECT_EQ(sum, 0) << hz;
    } else if (hz > 200 && hz < 13000) {
      EXPECT_NEAR(sum, 1, 1e-5) << hz;  // neighbours overlap so that they add up to one
    }
  }
}

// A filter's centre is where it is 1: between the bins at 1000 Hz for the mel of 1000 Hz.
TEST(MelFilterBank, PutsACentreWhereTheScaleSays) {
  FeatureSpec spec = Spec(FeatureSpec::MelScale::kHtk, FeatureSpec::MelNorm::kNone);
  spec.f_min = 0;
  spec.f_max =
      700 * (std::pow(10, 2 * 2595 * std::log10(1 + 1000.0 / 700) / 2595) - 1);  // twice the mels
  spec.n_mels = 1;  // so its centre is at half of them, 1000 Hz: bin 32
  const auto bank = MelFilterBank(spec, 32000);
  EXPECT_NEAR(bank[32], 1, 1e-6);
  EXPECT_LT(bank[31], 1);
  EXPECT_LT(bank[33], 1);
}

TEST(MelFilterBank, OfSlaneyIsLinearBelowOneKilohertz) {
  FeatureSpec spec = Spec(FeatureSpec::MelScale::kSlaney, FeatureSpec::MelNorm::kNone);
  spec.f_min = 0;
  spec.f_max = 1000;
  spec.n_mels = 3;  // centres at 250, 500, 750 Hz: bins 8, 16, 24
  const auto bank = MelFilterBank(spec, 32000);
  EXPECT_NEAR(bank[8 * 3 + 0], 1, 1e-6);
  EXPECT_NEAR(bank[16 * 3 + 1], 1, 1e-6);
  EXPECT_NEAR(bank[24 * 3 + 2], 1, 1e-6);
  EXPECT_NEAR(bank[12 * 3 + 0], 0.5, 1e-6);
}

TEST(MelFilterBank, OfSlaneyNormHasFiltersOfEqualArea) {
  const auto bank =
      MelFilterBank(Spec(FeatureSpec::MelScale::kSlaney, FeatureSpec::MelNorm::kSlaney), 32000);
  for (size_t mel = 40; mel < 64; ++mel) {  // wide enough that a sum over bins is an area
    double area = 0;
    for (size_t bin = 0; bin < 513; ++bin) area += bank[bin * 64 + mel] * 31.25;
    EXPECT_NEAR(area, 1, 0.02) << mel;
  }
}

// Kaldi's triangles are straight over mels, so over Hz each is skewed: half of its height lies at
// the mel in the middle between its foot and its centre.
TEST(KaldiMelFilterBank, RisesAndFallsEvenlyOverMels) {
  const auto hz = [](double mel) { return 700 * (std::exp(mel / 1127) - 1); };
  FeatureSpec spec;
  spec.n_fft = 512;
  spec.n_mels = 1;
  spec.f_min = 0;
  spec.f_max =
      hz(2 * 1127 * std::log(1 + 1000.0 / 700));  // so that the centre is at 1000 Hz: bin 32
  const auto bank = KaldiMelFilterBank(spec, 16000);
  ASSERT_EQ(bank.size(), 257U);
  EXPECT_NEAR(bank[32], 1, 1e-6);
  const double centre = 1127 * std::log(1 + 1000.0 / 700);
  for (const size_t bin : {8U, 16U, 24U}) {
    const double mel = 1127 * std::log(1 + static_cast<double>(bin) * 31.25 / 700);
    EXPECT_NEAR(bank[bin], mel / centre, 1e-6) << bin;
  }
  EXPECT_EQ(bank[0], 0);
}

TEST(KaldiMelFilterBank, LeavesTheLastBinOut) {
  FeatureSpec spec;
  spec.n_fft = 512;
  spec.n_mels = 2;
  spec.f_min = 20;
  spec.f_max = 8000;
  const auto bank = KaldiMelFilterBank(spec, 16000);
  EXPECT_GT(bank[255 * 2 + 1], 0);
  EXPECT_EQ(bank[256 * 2 + 0], 0);
  EXPECT_EQ(bank[256 * 2 + 1], 0);
}

}  // namespace
}  // namespace consort
