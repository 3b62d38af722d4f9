// soxr, wrapped once: one channel of float, quality HQ, one thread.
//
// The same as python's soxr.resample(x, from, to, quality="HQ"). The output depends on the input
// alone, not on what was resampled before. One object per engine thread.
#pragma once

#include <soxr.h>

#include <cstdint>
#include <memory>
#include <span>

namespace consort {

class Resampler {
 public:
  // Cheap when the rates are as before. False if soxr refuses them.
  bool Prepare(int32_t from_rate, int32_t to_rate);

  // Resamples the whole of `in` (silence before and after it) and writes the first out.size()
  // samples of the output. Returns how many there were, or -1 on a failure of soxr.
  int64_t Run(std::span<const float> in, std::span<float> out);

 private:
  struct Deleter {
    void operator()(soxr_t soxr) const { soxr_delete(soxr); }
  };
  int32_t from_rate_ = 0;
  int32_t to_rate_ = 0;
  std::unique_ptr<soxr, Deleter> soxr_;
};

}  // namespace consort
