#include "worker/read/resampler.h"

namespace consort {

bool Resampler::Prepare(int32_t from_rate, int32_t to_rate) {
  if (soxr_ != nullptr && from_rate == from_rate_ && to_rate == to_rate_) return true;
  from_rate_ = from_rate;
  to_rate_ = to_rate;
  const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
  const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);  // one thread
  soxr_error_t error = nullptr;
  soxr_.reset(soxr_create(from_rate, to_rate, 1, &error, &io, &quality, &runtime));
  if (error != nullptr) soxr_.reset();
  return soxr_ != nullptr;
}

int64_t Resampler::Run(std::span<const float> in, std::span<float> out) {
  if (soxr_ == nullptr || soxr_clear(soxr_.get()) != nullptr) return -1;
  size_t taken = 0;
  size_t given = 0;
  while (taken < in.size() && given < out.size()) {
    size_t took = 0;
    size_t gave = 0;
    if (soxr_process(soxr_.get(), in.data() + taken, in.size() - taken, &took, out.data() + given,
                     out.size() - given, &gave) != nullptr) {
      return -1;
    }
    taken += took;
    given += gave;
    if (took == 0 && gave == 0) break;
  }
  while (given < out.size()) {  // no more input: what is still inside
    size_t gave = 0;
    if (soxr_process(soxr_.get(), nullptr, 0, nullptr, out.data() + given, out.size() - given,
                     &gave) != nullptr) {
      return -1;
    }
    if (gave == 0) break;
    given += gave;
  }
  return static_cast<int64_t>(given);
}

}  // namespace consort
