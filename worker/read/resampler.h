// soxr, wrapped once: one channel of float, quality HQ, one thread.
//
// The same as python's soxr.resample(x, from, to, quality="HQ"). The output depends on the input
// alone, not on what was resampled before. One object per engine thread.
#pragma once

#include <soxr.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace consort {

class Resampler {
 public:
  // Cheap when the rates are as before. False if soxr refuses them.
  bool Prepare(int32_t from_rate, int32_t to_rate);

  // Resamples the whole of `in` (silence before and after it), passes over the first `skip` samples
  // of the output and writes the next out.size(). Returns how many of those there were, or -1 on a
  // failure of soxr.
  int64_t Run(std::span<const float> in, int64_t skip, std::span<float> out);

 private:
  struct Deleter {
    void operator()(soxr_t soxr) const { soxr_delete(soxr); }
  };
  int32_t from_rate_ = 0;
  int32_t to_rate_ = 0;
  std::unique_ptr<soxr, Deleter> soxr_;
  std::array<float, 1024> unheard_;
};

}  // namespace consort
