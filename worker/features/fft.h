// A Fourier transform of one frame of real samples, planned once.
//
// One object per thread: a transform may use its scratch. It may be made before a fork and used
// after it. Starts no thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "shared/base/result.h"

namespace consort {

// Real: float or double.
template <typename Real>
class RealFft {
 public:
  // `size` is at least 1.
  static Result<std::unique_ptr<RealFft>> Make(int64_t size);
  virtual ~RealFft() = default;

  // `in` has `size` samples. `out` gets the bins 0 to size / 2, unscaled, each as its real and its
  // imaginary part: 2 * (size / 2 + 1) numbers. Both aligned to 64 bytes.
  virtual void Forward(std::span<const Real> in, std::span<Real> out) = 0;
};

}  // namespace consort
