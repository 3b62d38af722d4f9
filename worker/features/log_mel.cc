// log_mel: torch.stft, |X|^power, mel filters, logarithm; the operations of the Python recipe in
// the same order, so that the numbers are the same.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstring>

#include "worker/features/features.h"
#include "worker/features/mel.h"

namespace consort {
namespace {

at::Tensor MakeWindow(const FeatureSpec& features) {
  const bool hann = features.window == FeatureSpec::Window::kHann;
  return hann ? at::hann_window(features.win_length, /*periodic=*/true)
              : at::hamming_window(features.win_length, /*periodic=*/true);
}

int64_t Frames(const FeatureSpec& features, int64_t samples) {
  const int64_t padded = samples + (features.center ? features.n_fft / 2 * 2 : 0);
  return 1 + (padded - features.n_fft) / features.hop_length;
}

class LogMelFeatures : public FeatureExtractor {
 public:
  explicit LogMelFeatures(const Manifest& manifest)
      : spec_(manifest.features),
        samples_(manifest.audio.SegmentSamples()),
        frames_(Frames(spec_, samples_)),
        window_(MakeWindow(spec_)),
        bank_(at::tensor(MelFilterBank(spec_, manifest.audio.sample_rate))
                  .view({spec_.n_fft / 2 + 1, spec_.n_mels})) {}

  std::vector<int64_t> shape() const override {
    switch (spec_.layout) {
      case FeatureSpec::Layout::kBCTM:
        return {1, 1, frames_, spec_.n_mels};
      case FeatureSpec::Layout::kBTM:
        return {1, frames_, spec_.n_mels};
      case FeatureSpec::Layout::kBMT:
        break;
    }
    return {1, spec_.n_mels, frames_};
  }

  void Extract(std::span<const float> wave, std::span<float> out) override {
    c10::InferenceMode inference;
    // Only read; from_blob has no const form.
    const auto samples = at::from_blob(const_cast<float*>(wave.data()), {samples_}, at::kFloat);
    const auto mels = Log(at::mm(Spectrum(samples), bank_));  // [frames, mels]
    const auto laid_out = spec_.layout == FeatureSpec::Layout::kBMT ? mels.t().contiguous() : mels;
    std::memcpy(out.data(), laid_out.const_data_ptr<float>(), out.size_bytes());
  }

 private:
  // [frames, bins], contiguous: torch.stft's result is a transposed view of such a tensor.
  at::Tensor Spectrum(const at::Tensor& samples) const {
    const auto* pad = spec_.pad_mode == FeatureSpec::PadMode::kReflect ? "reflect" : "constant";
    const auto stft = at::stft(samples, spec_.n_fft, spec_.hop_length, spec_.win_length, window_,
                               spec_.center, pad, /*normalized=*/false, /*onesided=*/true,
                               /*return_complex=*/true);
    // real² + imag² costs a third of abs()².
    const auto parts = at::view_as_real(stft.t());
    auto power = parts.select(2, 0).square().addcmul_(parts.select(2, 1), parts.select(2, 1));
    return spec_.power == 1 ? power.sqrt_() : power;
  }

  at::Tensor Log(at::Tensor mels) const {
    if (spec_.log == FeatureSpec::Log::kNone) return mels;
    mels.clamp_min_(spec_.floor);
    return spec_.log == FeatureSpec::Log::kLog ? mels.log_() : mels.log10_();
  }

  FeatureSpec spec_;
  int64_t samples_;
  int64_t frames_;
  at::Tensor window_;
  at::Tensor bank_;
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeLogMelFeatures(const Manifest& manifest) {
  try {
    return std::unique_ptr<FeatureExtractor>(std::make_unique<LogMelFeatures>(manifest));
  } catch (const std::exception& trouble) {
    return Error{"could not make the log_mel features: " + std::string(trouble.what())};
  }
}

}  // namespace consort
