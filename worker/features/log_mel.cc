// log_mel: the numbers of torch.stft, |X|^power, mel filters, logarithm, without their copies: a
// frame goes from samples to mels at once, in buffers that stay in the first cache.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "worker/features/features.h"
#include "worker/features/fft.h"
#include "worker/features/mel.h"

namespace consort {
namespace {

// torch.stft lays a shorter window into the middle of n_fft zeros.
std::vector<float> MakeWindow(const FeatureSpec& features) {
  const bool hann = features.window == FeatureSpec::Window::kHann;
  const auto window = hann ? at::hann_window(features.win_length, /*periodic=*/true)
                           : at::hamming_window(features.win_length, /*periodic=*/true);
  std::vector<float> padded(static_cast<size_t>(features.n_fft));
  std::copy_n(window.const_data_ptr<float>(), features.win_length,
              padded.begin() + (features.n_fft - features.win_length) / 2);
  return padded;
}

int64_t Frames(const FeatureSpec& features, int64_t samples) {
  const int64_t padded = samples + (features.center ? features.n_fft / 2 * 2 : 0);
  return 1 + (padded - features.n_fft) / features.hop_length;
}

class LogMelFeatures : public FeatureExtractor {
 public:
  LogMelFeatures(const Manifest& manifest, std::unique_ptr<RealFft> fft)
      : spec_(manifest.features),
        samples_(manifest.audio.SegmentSamples()),
        frames_(Frames(spec_, samples_)),
        filters_(spec_, manifest.audio.sample_rate),
        fft_(std::move(fft)),
        window_(MakeWindow(spec_)),
        outside_(window_.size()),
        // Tensors, since they are aligned as MKL likes it.
        frame_(at::zeros({spec_.n_fft})),
        bins_(at::zeros({spec_.n_fft / 2 + 1, 2})),
        spectrum_(at::zeros({static_cast<int64_t>(filters_.padded_bins())})),
        mels_(static_cast<size_t>(spec_.n_mels)),
        all_(at::empty(shape())) {}

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
    auto* all = all_.mutable_data_ptr<float>();
    const auto mels = static_cast<size_t>(spec_.n_mels);
    for (int64_t i = 0; i < frames_; ++i) {
      TakeFrame(wave, i);
      TakeSpectrum();
      const auto at = static_cast<size_t>(i);
      if (spec_.layout != FeatureSpec::Layout::kBMT) {
        filters_.Apply(Floats(spectrum_), {all + at * mels, mels});
      } else {
        filters_.Apply(Floats(spectrum_), mels_);
        for (size_t mel = 0; mel < mels; ++mel) {
          all[mel * static_cast<size_t>(frames_) + at] = mels_[mel];
        }
      }
    }
    TakeLog();
    std::memcpy(out.data(), all, out.size_bytes());
  }

 private:
  static std::span<float> Floats(at::Tensor& tensor) {
    return {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
  }

  // The samples of frame i, times the window.
  void TakeFrame(std::span<const float> wave, int64_t i) {
    const int64_t first = i * spec_.hop_length - (spec_.center ? spec_.n_fft / 2 : 0);
    const float* from = outside_.data();
    if (first >= 0 && first + spec_.n_fft <= samples_) {
      from = wave.data() + first;
    } else {
      for (int64_t n = 0; n < spec_.n_fft; ++n) {
        outside_[static_cast<size_t>(n)] = Padded(wave, first + n);
      }
    }
    float* to = frame_.mutable_data_ptr<float>();
    const float* window = window_.data();
    for (size_t n = 0; n < window_.size(); ++n) to[n] = from[n] * window[n];
  }

  // The sample at a place that may lie before or after the segment.
  float Padded(std::span<const float> wave, int64_t at) const {
    if (at >= 0 && at < samples_) return wave[static_cast<size_t>(at)];
    if (spec_.pad_mode == FeatureSpec::PadMode::kConstant) return 0;
    return wave[static_cast<size_t>(at < 0 ? -at : 2 * (samples_ - 1) - at)];
  }

  void TakeSpectrum() {
    const auto bins = Floats(bins_);
    fft_->Forward(Floats(frame_), bins);
    const float* in = bins.data();
    float* out = spectrum_.mutable_data_ptr<float>();
    const size_t count = bins.size() / 2;
    for (size_t k = 0; k < count; ++k) {
      out[k] = in[2 * k] * in[2 * k] + in[2 * k + 1] * in[2 * k + 1];
    }
    if (spec_.power == 2) return;
    for (size_t k = 0; k < count; ++k) out[k] = std::sqrt(out[k]);
  }

  void TakeLog() {
    if (spec_.log == FeatureSpec::Log::kNone) return;
    all_.clamp_min_(spec_.floor);
    spec_.log == FeatureSpec::Log::kLog ? all_.log_() : all_.log10_();
  }

  FeatureSpec spec_;
  int64_t samples_;
  int64_t frames_;
  MelFilters filters_;
  std::unique_ptr<RealFft> fft_;
  std::vector<float> window_;
  // Scratch, of one frame …
  std::vector<float> outside_;  // its samples, where some lie outside of the segment
  at::Tensor frame_;
  at::Tensor bins_;
  at::Tensor spectrum_;  // zeros after the last bin
  std::vector<float> mels_;
  at::Tensor all_;  // … and of a segment: what is given out
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeLogMelFeatures(const Manifest& manifest) {
  try {
    CONSORT_TRY(auto fft, RealFft::Make(manifest.features.n_fft));
    return std::unique_ptr<FeatureExtractor>(
        std::make_unique<LogMelFeatures>(manifest, std::move(fft)));
  } catch (const std::exception& trouble) {
    return Error{"could not make the log_mel features: " + std::string(trouble.what())};
  }
}

}  // namespace consort
