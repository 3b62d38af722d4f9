#include "worker/features/mel.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

// Slaney's scale is linear up to 1 kHz at 3 mels per 200 Hz, then logarithmic with 27 steps to a
// factor of 6.4 (Auditory Toolbox, 1998; librosa and torchaudio use the same numbers).
constexpr double kSlaneyHzPerMel = 200.0 / 3;
constexpr double kSlaneyKneeHz = 1000;
constexpr double kSlaneyKneeMel = kSlaneyKneeHz / kSlaneyHzPerMel;
const double kSlaneyStep = std::log(6.4) / 27;

double HzToMel(double hz, FeatureSpec::MelScale scale) {
  if (scale == FeatureSpec::MelScale::kHtk) return 2595 * std::log10(1 + hz / 700);
  if (hz < kSlaneyKneeHz) return hz / kSlaneyHzPerMel;
  return kSlaneyKneeMel + std::log(hz / kSlaneyKneeHz) / kSlaneyStep;
}

double MelToHz(double mel, FeatureSpec::MelScale scale) {
  if (scale == FeatureSpec::MelScale::kHtk) return 700 * (std::pow(10, mel / 2595) - 1);
  if (mel < kSlaneyKneeMel) return mel * kSlaneyHzPerMel;
  return kSlaneyKneeHz * std::exp(kSlaneyStep * (mel - kSlaneyKneeMel));
}

}  // namespace

std::vector<float> MelFilterBank(const FeatureSpec& features, int32_t sample_rate) {
  const auto mels = static_cast<size_t>(features.n_mels);
  const auto bins = static_cast<size_t>(features.n_fft / 2 + 1);
  const double low = HzToMel(features.f_min, features.mel_scale);
  const double high = HzToMel(features.f_max, features.mel_scale);
  std::vector<double> edges(mels + 2);  // Hz: a filter rises over one gap and falls over the next
  for (size_t i = 0; i < edges.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(mels + 1);
    edges[i] = MelToHz(low + (high - low) * part, features.mel_scale);
  }
  std::vector<float> bank(bins * mels);
  for (size_t bin = 0; bin < bins; ++bin) {
    // As torchaudio: bins are spread from 0 to half the rate (integer division), also for an odd
    // n_fft.
    const double last = static_cast<double>(std::max<size_t>(bins - 1, 1));
    const double hz = static_cast<double>(bin) * (sample_rate / 2) / last;
    for (size_t mel = 0; mel < mels; ++mel) {
      const double up = (hz - edges[mel]) / (edges[mel + 1] - edges[mel]);
      const double down = (edges[mel + 2] - hz) / (edges[mel + 2] - edges[mel + 1]);
      double weight = std::max(0.0, std::min(up, down));
      if (features.mel_norm == FeatureSpec::MelNorm::kSlaney) {
        weight *= 2 / (edges[mel + 2] - edges[mel]);  // every filter has the same area
      }
      bank[bin * mels + mel] = static_cast<float>(weight);
    }
  }
  return bank;
}

}  // namespace consort
