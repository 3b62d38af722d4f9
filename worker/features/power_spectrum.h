// The power, or magnitude, spectrum of a frame.
//
// Real is what it is computed in. In float the rounding lies about 150 dB below the loudest bin of
// the frame: of a bin that is nearly as quiet, a logarithm shows it. In double none shows.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "shared/base/result.h"
#include "worker/features/aligned.h"
#include "worker/features/fft.h"

namespace consort {

template <typename Real>
class PowerSpectrum {
 public:
  // `power` is 1 (magnitude) or 2. `padded_bins`: how long the spectrum is given out, at least
  // n_fft / 2 + 1; zeros after the last bin.
  static Result<std::unique_ptr<PowerSpectrum>> Make(int64_t n_fft, double power,
                                                     size_t padded_bins);

  // Where the caller puts the frame: n_fft numbers, zeros at first. Stays as it is.
  std::span<Real> frame() { return frame_.span(); }
  // |X|^power of the frame; lasts until the next call.
  std::span<const float> Take();

 private:
  PowerSpectrum(std::unique_ptr<RealFft<Real>> fft, int64_t n_fft, double power,
                size_t padded_bins);

  std::unique_ptr<RealFft<Real>> fft_;
  bool magnitude_;
  Aligned<Real> frame_;
  Aligned<Real> bins_;  // real and imaginary parts
  Aligned<float> spectrum_;
};

}  // namespace consort
