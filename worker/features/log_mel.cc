// log_mel: the numbers of torch.stft, |X|^power, mel filters, logarithm, without their copies: a
// frame goes from samples to mels at once, in buffers that stay in the first cache.
//
// In float, as the models' own programs; decibels in double. 1e-4 of a decibel is a 40,000th of a
// power, and speech has bands so far below its loudest that float's rounding is more than that.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "worker/features/features.h"
#include "worker/features/layout.h"
#include "worker/features/mel.h"
#include "worker/features/over_mels.h"
#include "worker/features/stft.h"

namespace consort {
namespace {

template <typename Real>
class LogMelFeatures : public FeatureExtractor {
 public:
  LogMelFeatures(const Manifest& manifest, MelFilters filters,
                 std::unique_ptr<PowerSpectrum<Real>> spectrum)
      : spec_(manifest.features),
        frames_(spec_.Frames(manifest.audio.SegmentSamples())),
        filters_(std::move(filters)),
        stft_(manifest, std::move(spectrum)),
        mels_(static_cast<size_t>(spec_.n_mels)),
        all_(at::empty(shape())) {}

  std::vector<int64_t> shape() const override {
    return LaidOut(spec_.layout, frames_, spec_.n_mels);
  }

  void Extract(std::span<const float> wave, std::span<float> out) override {
    c10::InferenceMode inference;
    auto* all = all_.mutable_data_ptr<float>();
    const auto mels = static_cast<size_t>(spec_.n_mels);
    for (int64_t i = 0; i < frames_; ++i) {
      const auto spectrum = stft_.Frame(wave, i);
      const auto at = static_cast<size_t>(i);
      if (spec_.layout != FeatureSpec::Layout::kBMT) {
        filters_.Apply(spectrum, {all + at * mels, mels});
      } else {
        filters_.Apply(spectrum, mels_);
        PutFrame<float>(spec_.layout, mels_, at, static_cast<size_t>(frames_),
                        {all, static_cast<size_t>(all_.numel())}, std::identity());
      }
    }
    TakeLog();
    LimitRange({all, out.size()});
    if (spec_.mean == 0 && spec_.std == 1) {
      std::memcpy(out.data(), all, out.size_bytes());
      return;
    }
    const auto mean = static_cast<float>(spec_.mean);
    const auto std = static_cast<float>(spec_.std);
    for (size_t n = 0; n < out.size(); ++n) out[n] = (all[n] - mean) / std;
  }

 private:
  void TakeLog() {
    using Log = FeatureSpec::Log;
    if (spec_.log == Log::kNone) return;
    all_.clamp_min_(spec_.floor);
    if (spec_.log_offset != 0) all_.add_(spec_.log_offset);
    spec_.log == Log::kLog ? all_.log_() : all_.log10_();
    if (spec_.log == Log::kDb) all_.mul_(10);
  }

  void LimitRange(std::span<const float> all) {
    if (spec_.dynamic_range == 0) return;
    const float most = *std::max_element(all.begin(), all.end());
    all_.clamp_min_(most - static_cast<float>(spec_.dynamic_range));
  }

  FeatureSpec spec_;
  int64_t frames_;
  MelFilters filters_;
  Stft<Real> stft_;
  std::vector<float> mels_;  // scratch, of one frame
  at::Tensor all_;           // the features of a segment
};

template <typename Real>
Result<std::unique_ptr<FeatureExtractor>> MakeIn(const Manifest& manifest) {
  return MakeOverMels<LogMelFeatures<Real>, Real>(
      manifest, MelFilterBank(manifest.features, manifest.audio.sample_rate));
}

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeLogMelFeatures(const Manifest& manifest) {
  try {
    return manifest.features.log == FeatureSpec::Log::kDb ? MakeIn<double>(manifest)
                                                          : MakeIn<float>(manifest);
  } catch (const std::exception& trouble) {
    return Error{"could not make the log_mel features: " + std::string(trouble.what())};
  }
}

}  // namespace consort
