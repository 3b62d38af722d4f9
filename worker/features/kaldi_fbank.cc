// kaldi_fbank: Kaldi's filter banks, from its definition in feat/feature-window.h, feature-fbank.cc
// and mel-computations.h (as kaldi-native-fbank and torchaudio.compliance.kaldi.fbank), without
// dither. A frame loses its mean, is pre-emphasised, windowed, and padded with zeros at its end.
//
// In double: samples may be scaled to 16 bits, and then Kaldi's floor is 190 dB below them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "worker/features/features.h"
#include "worker/features/layout.h"
#include "worker/features/mel.h"
#include "worker/features/over_mels.h"

namespace consort {
namespace {

// Kaldi's windows are symmetric: both ends are the same, unlike those of torch.stft.
std::vector<double> MakeWindow(const FeatureSpec& spec) {
  using Window = FeatureSpec::Window;
  std::vector<double> window(static_cast<size_t>(spec.win_length));
  for (size_t n = 0; n < window.size(); ++n) {
    const double turn =
        2 * std::numbers::pi * static_cast<double>(n) / static_cast<double>(spec.win_length - 1);
    switch (spec.window) {
      case Window::kHann:
        window[n] = 0.5 - 0.5 * std::cos(turn);
        break;
      case Window::kHamming:
        window[n] = 0.54 - 0.46 * std::cos(turn);
        break;
      case Window::kPovey:
        window[n] = std::pow(0.5 - 0.5 * std::cos(turn), 0.85);
        break;
      case Window::kRectangular:
        window[n] = 1;
        break;
      case Window::kBlackman:
        window[n] = 0.42 - 0.5 * std::cos(turn) + 0.08 * std::cos(2 * turn);
        break;
    }
  }
  return window;
}

class KaldiFbankFeatures : public FeatureExtractor {
 public:
  KaldiFbankFeatures(const Manifest& manifest, MelFilters filters,
                     std::unique_ptr<PowerSpectrum<double>> spectrum)
      : spec_(manifest.features),
        samples_(manifest.audio.SegmentSamples()),
        heard_(spec_.Frames(samples_)),
        frames_(std::max(heard_, spec_.target_frames)),
        filters_(std::move(filters)),
        spectrum_(std::move(spectrum)),
        window_(MakeWindow(spec_)),
        outside_(window_.size()),
        mels_(static_cast<size_t>(spec_.n_mels)) {}

  std::vector<int64_t> shape() const override {
    return LaidOut(spec_.layout, frames_, spec_.n_mels);
  }

  void Extract(std::span<const float> wave, std::span<float> out) override {
    const auto heard = static_cast<size_t>(heard_);
    const auto frames = static_cast<size_t>(frames_);
    const auto value = [&](float energy) { return Normalized(Level(double{energy})); };
    for (size_t i = 0; i < heard; ++i) {
      TakeFrame(wave, static_cast<int64_t>(i));
      filters_.Apply(spectrum_->Take(), mels_);
      PutFrame<float>(spec_.layout, mels_, i, frames, out, value);
    }
    const auto nothing = [&](float) { return Normalized(0); };
    for (size_t i = heard; i < frames; ++i) {
      PutFrame<float>(spec_.layout, mels_, i, frames, out, nothing);
    }
  }

 private:
  void TakeFrame(std::span<const float> wave, int64_t i) {
    const int64_t length = spec_.win_length;
    // Without snip_edges the middles of shifts are the middles of frames.
    const int64_t first = spec_.snip_edges
                              ? i * spec_.hop_length
                              : i * spec_.hop_length + spec_.hop_length / 2 - length / 2;
    const float* from = outside_.data();
    if (first >= 0 && first + length <= samples_) {
      from = wave.data() + first;
    } else {
      for (int64_t n = 0; n < length; ++n) {
        outside_[static_cast<size_t>(n)] = wave[static_cast<size_t>(Mirrored(first + n))];
      }
    }
    const auto frame = spectrum_->frame().first(window_.size());
    double sum = 0;
    for (size_t n = 0; n < frame.size(); ++n) {
      frame[n] = spec_.scale * double{from[n]};
      sum += frame[n];
    }
    if (spec_.remove_dc) {
      const double mean = sum / static_cast<double>(length);
      for (double& x : frame) x -= mean;
    }
    // From the end, since each takes the one before it as it was; the first takes itself.
    for (size_t n = frame.size() - 1; n > 0; --n) frame[n] -= spec_.preemphasis * frame[n - 1];
    frame[0] -= spec_.preemphasis * frame[0];
    for (size_t n = 0; n < frame.size(); ++n) frame[n] *= window_[n];
  }

  // A place in the segment for one that may lie outside: the ends are mirrors, and are heard twice.
  int64_t Mirrored(int64_t at) const {
    while (at < 0 || at >= samples_) at = at < 0 ? -at - 1 : 2 * samples_ - 1 - at;
    return at;
  }

  // What is not a number stays so.
  double Level(double energy) const {
    if (spec_.log == FeatureSpec::Log::kNone) return energy;
    return std::log(std::max(energy, double{std::numeric_limits<float>::epsilon()}));
  }

  float Normalized(double level) const {
    return static_cast<float>((level - spec_.mean) / spec_.std);
  }

  FeatureSpec spec_;
  int64_t samples_;
  int64_t heard_;   // frames of the segment
  int64_t frames_;  // with those that are padded
  MelFilters filters_;
  std::unique_ptr<PowerSpectrum<double>> spectrum_;
  std::vector<double> window_;
  // Scratch, of one frame.
  std::vector<float> outside_;  // its samples, where some lie outside of the segment
  std::vector<float> mels_;
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeKaldiFbankFeatures(const Manifest& manifest) {
  return MakeOverMels<KaldiFbankFeatures, double>(
      manifest, KaldiMelFilterBank(manifest.features, manifest.audio.sample_rate));
}

}  // namespace consort
