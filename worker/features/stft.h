// The spectra of a segment's frames, as torch.stft gives them: |X|^power, one frame at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shared/bundle/manifest.h"
#include "worker/features/power_spectrum.h"

namespace consort {

// Real: what is computed in (power_spectrum.h).
template <typename Real>
class Stft {
 public:
  // Throws what LibTorch throws when it makes the window.
  Stft(const Manifest& manifest, std::unique_ptr<PowerSpectrum<Real>> spectrum);

  // Of frame i of the segment `wave`; lasts until the next call.
  std::span<const float> Frame(std::span<const float> wave, int64_t i);

 private:
  float Padded(std::span<const float> wave, int64_t at) const;

  FeatureSpec spec_;
  int64_t samples_;
  std::unique_ptr<PowerSpectrum<Real>> spectrum_;
  std::vector<Real> window_;
  std::vector<float> outside_;  // a frame's samples, where some lie outside of the segment
};

}  // namespace consort
