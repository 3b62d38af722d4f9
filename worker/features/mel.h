// Triangular mel filters, as torchaudio.functional.melscale_fbanks makes them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shared/bundle/manifest.h"

namespace consort {

// Row by row, [n_fft / 2 + 1, n_mels]: weights of each frequency bin (Hz, 0 to sample_rate / 2) in
// each filter. Computed in double.
std::vector<float> MelFilterBank(const FeatureSpec& features, int32_t sample_rate);

// The same filters, each as the stretch of bins where it is not 0: of 513 bins an average filter
// of 64 uses 14.
class MelFilters {
 public:
  MelFilters(const FeatureSpec& features, int32_t sample_rate);

  // How long Apply's `spectrum` is: the bins, and zeros after them.
  size_t padded_bins() const { return padded_bins_; }
  // `mels` gets one sum a filter. Where all of `spectrum` is not a number, all of `mels` is not,
  // filters without a bin too.
  void Apply(std::span<const float> spectrum, std::span<float> mels) const;

 private:
  struct Filter {
    uint32_t first;   // bin
    uint32_t groups;  // of kLanes bins from there on, at least 1
  };
  size_t padded_bins_;
  std::vector<Filter> filters_;
  std::vector<float> weights_;  // of the first filter's groups, the second's, …
};

}  // namespace consort
