#include "worker/features/power_spectrum.h"

#include <cmath>
#include <utility>

namespace consort {

template <typename Real>
PowerSpectrum<Real>::PowerSpectrum(std::unique_ptr<RealFft<Real>> fft, int64_t n_fft, double power,
                                   size_t padded_bins)
    : fft_(std::move(fft)),
      magnitude_(power == 1),
      frame_(static_cast<size_t>(n_fft)),
      bins_(2 * static_cast<size_t>(n_fft / 2 + 1)),
      spectrum_(padded_bins) {}

template <typename Real>
Result<std::unique_ptr<PowerSpectrum<Real>>> PowerSpectrum<Real>::Make(int64_t n_fft, double power,
                                                                       size_t padded_bins) {
  CONSORT_TRY(auto fft, RealFft<Real>::Make(n_fft));
  return std::unique_ptr<PowerSpectrum>(
      new PowerSpectrum(std::move(fft), n_fft, power, padded_bins));
}

template <typename Real>
std::span<const float> PowerSpectrum<Real>::Take() {
  const auto bins = bins_.span();
  fft_->Forward(frame_.span(), bins);
  const Real* in = bins.data();
  float* out = spectrum_.span().data();
  const size_t count = bins.size() / 2;
  for (size_t k = 0; k < count; ++k) {
    out[k] = static_cast<float>(in[2 * k] * in[2 * k] + in[2 * k + 1] * in[2 * k + 1]);
  }
  if (magnitude_) {
    for (size_t k = 0; k < count; ++k) out[k] = std::sqrt(out[k]);
  }
  return spectrum_.span();
}

template class PowerSpectrum<float>;
template class PowerSpectrum<double>;

}  // namespace consort
