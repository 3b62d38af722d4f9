#include "worker/features/mel.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace consort {
namespace {

// Slaney's scale is linear up to 1 kHz at 3 mels per 200 Hz, then logarithmic with 27 steps to a
// factor of 6.4 (Auditory Toolbox, 1998; librosa and torchaudio use the same numbers).
constexpr double kSlaneyHzPerMel = 200.0 / 3;
constexpr double kSlaneyKneeHz = 1000;
constexpr double kSlaneyKneeMel = kSlaneyKneeHz / kSlaneyHzPerMel;
const double kSlaneyStep = std::log(6.4) / 27;

// Bins that are weighed at once: what every CPU of x86-64 and ARM64 does in one step.
constexpr size_t kLanes = 4;
using Lanes [[gnu::vector_size(kLanes * sizeof(float))]] = float;

Lanes LoadLanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

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

std::vector<float> KaldiMelFilterBank(const FeatureSpec& features, int32_t sample_rate) {
  const auto mel = [](double hz) { return 1127 * std::log(1 + hz / 700); };
  const auto mels = static_cast<size_t>(features.n_mels);
  const auto bins = static_cast<size_t>(features.n_fft / 2);
  const double low = mel(features.f_min);
  const double step = (mel(features.f_max) - low) / static_cast<double>(mels + 1);
  std::vector<float> bank((bins + 1) * mels);
  for (size_t bin = 0; bin < bins; ++bin) {
    const double at =
        mel(static_cast<double>(bin) * sample_rate / static_cast<double>(features.n_fft));
    for (size_t filter = 0; filter < mels; ++filter) {
      const double up = (at - low) / step - static_cast<double>(filter);  // 1 at its centre
      bank[bin * mels + filter] = static_cast<float>(std::max(0.0, std::min(up, 2 - up)));
    }
  }
  return bank;
}

MelFilters::MelFilters(const std::vector<float>& bank, int64_t n_mels) {
  const auto mels = static_cast<size_t>(n_mels);
  const size_t bins = bank.size() / mels;
  padded_bins_ = bins + kLanes;
  for (size_t mel = 0; mel < mels; ++mel) {
    const auto weight = [&](size_t bin) { return bin < bins ? bank[bin * mels + mel] : 0; };
    size_t first = 0;
    while (first < bins && weight(first) == 0) ++first;
    size_t end = bins;
    while (end > first && weight(end - 1) == 0) --end;
    if (first == bins) first = end = 0;
    const size_t groups = std::max<size_t>(1, (end - first + kLanes - 1) / kLanes);
    filters_.push_back({static_cast<uint32_t>(first), static_cast<uint32_t>(groups)});
    for (size_t i = 0; i < groups * kLanes; ++i) weights_.push_back(weight(first + i));
  }
}

void MelFilters::Apply(std::span<const float> spectrum, std::span<float> mels) const {
  const float* weights = weights_.data();
  for (size_t mel = 0; mel < filters_.size(); ++mel) {
    const float* bins = spectrum.data() + filters_[mel].first;
    Lanes sums = LoadLanes(bins) * LoadLanes(weights);
    for (uint32_t group = 1; group < filters_[mel].groups; ++group) {
      sums += LoadLanes(bins + group * kLanes) * LoadLanes(weights + group * kLanes);
    }
    weights += filters_[mel].groups * kLanes;
    mels[mel] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }
}

}  // namespace consort
