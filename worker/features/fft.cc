// Note [MKL by its own names]
// at::fft plans anew at every call: 13 µs, the time of 50 transforms of 1024 samples. LibTorch for
// x86-64 carries MKL and exports its DFTI functions, so the plan is made with them and kept. They
// are declared here because the wheel brings no header for them; DFTI's names, values and types
// have not changed in MKL's life. A LibTorch without MKL leaves them null, and at::fft is used.
#include "worker/features/fft.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <string>
#include <type_traits>

extern "C" {
[[gnu::weak]] long DftiCreateDescriptor_s_1d(void** plan, int domain, long size);
[[gnu::weak]] long DftiCreateDescriptor_d_1d(void** plan, int domain, long size);
[[gnu::weak]] long DftiSetValue(void* plan, int parameter, ...);
[[gnu::weak]] long DftiCommitDescriptor(void* plan);
[[gnu::weak]] long DftiComputeForward(void* plan, void* in, ...);
[[gnu::weak]] long DftiFreeDescriptor(void** plan);
}

namespace consort {
namespace {

// Of mkl_dfti.h.
enum : int {
  kDftiConjugateEvenStorage = 10,
  kDftiPlacement = 11,
  kDftiThreadLimit = 27,
  kDftiReal = 33,
  kDftiComplexComplex = 39,
  kDftiNotInPlace = 44,
};

template <typename Real>
class MklFft : public RealFft<Real> {
 public:
  static bool Exists() {
    return DftiCreateDescriptor_s_1d != nullptr && DftiCreateDescriptor_d_1d != nullptr &&
           DftiSetValue != nullptr && DftiCommitDescriptor != nullptr &&
           DftiComputeForward != nullptr && DftiFreeDescriptor != nullptr;
  }

  explicit MklFft(int64_t size) {
    const auto create =
        std::is_same_v<Real, float> ? DftiCreateDescriptor_s_1d : DftiCreateDescriptor_d_1d;
    status_ = create(&plan_, kDftiReal, static_cast<long>(size));
    Set(kDftiPlacement, kDftiNotInPlace);
    Set(kDftiConjugateEvenStorage, kDftiComplexComplex);
    if (status_ == 0) status_ = DftiSetValue(plan_, kDftiThreadLimit, 1L);
    if (status_ == 0) status_ = DftiCommitDescriptor(plan_);
  }
  MklFft(const MklFft&) = delete;
  MklFft& operator=(const MklFft&) = delete;
  ~MklFft() override {
    if (plan_ != nullptr) DftiFreeDescriptor(&plan_);
  }

  long status() const { return status_; }  // 0: planned

  void Forward(std::span<const Real> in, std::span<Real> out) override {
    // Only read; DFTI has no const form. Cannot fail once planned.
    DftiComputeForward(plan_, const_cast<Real*>(in.data()), out.data());
  }

 private:
  void Set(int parameter, int value) {
    if (status_ == 0) status_ = DftiSetValue(plan_, parameter, value);
  }
  void* plan_ = nullptr;
  long status_ = 0;
};

template <typename Real>
class AtenFft : public RealFft<Real> {
 public:
  explicit AtenFft(int64_t size) : size_(size) {}

  void Forward(std::span<const Real> in, std::span<Real> out) override {
    c10::InferenceMode inference;
    const auto frame =
        at::from_blob(const_cast<Real*>(in.data()), {size_}, c10::CppTypeToScalarType<Real>::value);
    const auto bins = at::view_as_real(at::_fft_r2c(frame, {0}, 0, /*onesided=*/true)).contiguous();
    std::copy_n(bins.template const_data_ptr<Real>(), out.size(), out.data());
  }

 private:
  int64_t size_;
};

}  // namespace

template <typename Real>
Result<std::unique_ptr<RealFft<Real>>> RealFft<Real>::Make(int64_t size) {
  if (!MklFft<Real>::Exists()) {
    return std::unique_ptr<RealFft>(std::make_unique<AtenFft<Real>>(size));
  }
  auto fft = std::make_unique<MklFft<Real>>(size);
  if (fft->status() != 0) {
    return Error{"MKL plans no Fourier transform of " + std::to_string(size) + " samples (status " +
                 std::to_string(fft->status()) + ")"};
  }
  return std::unique_ptr<RealFft>(std::move(fft));
}

template class RealFft<float>;
template class RealFft<double>;

}  // namespace consort
