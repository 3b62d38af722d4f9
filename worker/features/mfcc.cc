// mfcc: as torchaudio.transforms.MFCC, the discrete cosine transform of a log-mel spectrum.
//
// In double: a coefficient sums up all bands, and of one that is 80 dB below the loudest float
// knows few digits.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "worker/features/features.h"
#include "worker/features/layout.h"
#include "worker/features/mel.h"
#include "worker/features/over_mels.h"
#include "worker/features/stft.h"

namespace consort {
namespace {

// Row by row, [n_mels, n_mfcc]: DCT-II, as torchaudio.functional.create_dct makes it.
std::vector<double> MakeDct(const FeatureSpec& spec) {
  const auto mels = static_cast<double>(spec.n_mels);
  const bool ortho = spec.dct_norm == FeatureSpec::DctNorm::kOrtho;
  std::vector<double> dct;
  for (int64_t mel = 0; mel < spec.n_mels; ++mel) {
    for (int64_t k = 0; k < spec.n_mfcc; ++k) {
      const double angle =
          std::numbers::pi / mels * (static_cast<double>(mel) + 0.5) * static_cast<double>(k);
      const double norm = ortho ? std::sqrt((k == 0 ? 1 : 2) / mels) : 2;
      dct.push_back(norm * std::cos(angle));
    }
  }
  return dct;
}

class MfccFeatures : public FeatureExtractor {
 public:
  MfccFeatures(const Manifest& manifest, MelFilters filters,
               std::unique_ptr<PowerSpectrum<double>> spectrum)
      : spec_(manifest.features),
        frames_(spec_.Frames(manifest.audio.SegmentSamples())),
        filters_(std::move(filters)),
        stft_(manifest, std::move(spectrum)),
        dct_(MakeDct(spec_)),
        mels_(static_cast<size_t>(spec_.n_mels)),
        levels_(static_cast<size_t>(frames_) * mels_.size()),
        coefficients_(static_cast<size_t>(spec_.n_mfcc)) {}

  std::vector<int64_t> shape() const override {
    return LaidOut(spec_.layout, frames_, spec_.n_mfcc);
  }

  void Extract(std::span<const float> wave, std::span<float> out) override {
    for (int64_t i = 0; i < frames_; ++i) {
      filters_.Apply(stft_.Frame(wave, i), mels_);
      double* levels = levels_.data() + static_cast<size_t>(i) * mels_.size();
      for (size_t mel = 0; mel < mels_.size(); ++mel) levels[mel] = Level(double{mels_[mel]});
    }
    LimitRange();
    const auto frames = static_cast<size_t>(frames_);
    const auto normalized = [&](double x) {
      return static_cast<float>((x - spec_.mean) / spec_.std);
    };
    for (size_t i = 0; i < frames; ++i) {
      TakeDct(levels_.data() + i * mels_.size());
      PutFrame<double>(spec_.layout, coefficients_, i, frames, out, normalized);
    }
  }

 private:
  // What is not a number stays so.
  double Level(double energy) const {
    energy = std::max(energy, spec_.floor) + spec_.log_offset;
    return spec_.log == FeatureSpec::Log::kLog ? std::log(energy) : 10 * std::log10(energy);
  }

  void LimitRange() {
    if (spec_.dynamic_range == 0) return;
    const double least = *std::max_element(levels_.begin(), levels_.end()) - spec_.dynamic_range;
    for (double& level : levels_) level = std::max(level, least);
  }

  void TakeDct(const double* levels) {
    std::fill(coefficients_.begin(), coefficients_.end(), 0.0);
    const double* row = dct_.data();
    double* to = coefficients_.data();
    const size_t count = coefficients_.size();
    for (size_t mel = 0; mel < mels_.size(); ++mel, row += count) {
      for (size_t k = 0; k < count; ++k) to[k] += levels[mel] * row[k];
    }
  }

  FeatureSpec spec_;
  int64_t frames_;
  MelFilters filters_;
  Stft<double> stft_;
  std::vector<double> dct_;
  // Scratch.
  std::vector<float> mels_;           // of one frame
  std::vector<double> levels_;        // of a segment: logarithms, [frames, n_mels]
  std::vector<double> coefficients_;  // of one frame
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeMfccFeatures(const Manifest& manifest) {
  try {
    return MakeOverMels<MfccFeatures, double>(
        manifest, MelFilterBank(manifest.features, manifest.audio.sample_rate));
  } catch (const std::exception& trouble) {
    return Error{"could not make the mfcc features: " + std::string(trouble.what())};
  }
}

}  // namespace consort
