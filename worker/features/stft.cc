#include "worker/features/stft.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace consort {
namespace {

// torch.stft lays a shorter window into the middle of n_fft zeros.
template <typename Real>
std::vector<Real> MakeWindow(const FeatureSpec& features) {
  const bool hann = features.window == FeatureSpec::Window::kHann;
  const auto type = c10::CppTypeToScalarType<Real>::value;
  const auto window = hann ? at::hann_window(features.win_length, /*periodic=*/true, type)
                           : at::hamming_window(features.win_length, /*periodic=*/true, type);
  std::vector<Real> padded(static_cast<size_t>(features.n_fft));
  std::copy_n(window.template const_data_ptr<Real>(), features.win_length,
              padded.begin() + (features.n_fft - features.win_length) / 2);
  return padded;
}

}  // namespace

template <typename Real>
Stft<Real>::Stft(const Manifest& manifest, std::unique_ptr<PowerSpectrum<Real>> spectrum)
    : spec_(manifest.features),
      samples_(manifest.audio.SegmentSamples()),
      spectrum_(std::move(spectrum)),
      window_(MakeWindow<Real>(spec_)),
      outside_(window_.size()) {}

template <typename Real>
std::span<const float> Stft<Real>::Frame(std::span<const float> wave, int64_t i) {
  const int64_t first = i * spec_.hop_length - (spec_.center ? spec_.n_fft / 2 : 0);
  const float* from = outside_.data();
  if (first >= 0 && first + spec_.n_fft <= samples_) {
    from = wave.data() + first;
  } else {
    for (int64_t n = 0; n < spec_.n_fft; ++n) {
      outside_[static_cast<size_t>(n)] = Padded(wave, first + n);
    }
  }
  Real* to = spectrum_->frame().data();
  const Real* window = window_.data();
  for (size_t n = 0; n < window_.size(); ++n) to[n] = from[n] * window[n];
  return spectrum_->Take();
}

// The sample at a place that may lie before or after the segment.
template <typename Real>
float Stft<Real>::Padded(std::span<const float> wave, int64_t at) const {
  if (at >= 0 && at < samples_) return wave[static_cast<size_t>(at)];
  if (spec_.pad_mode == FeatureSpec::PadMode::kConstant) return 0;
  return wave[static_cast<size_t>(at < 0 ? -at : 2 * (samples_ - 1) - at)];
}

template class Stft<float>;
template class Stft<double>;

}  // namespace consort
