// Triangular mel filters.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shared/bundle/manifest.h"

namespace consort {

// Row by row, [n_fft / 2 + 1, n_mels]: weights of each frequency bin (Hz, 0 to sample_rate / 2) in
// each filter. Computed in double. As torchaudio.functional.melscale_fbanks makes them: triangles
// over frequencies in Hz.
std::vector<float> MelFilterBank(const FeatureSpec& features, int32_t sample_rate);

// The same of Kaldi (MelBanks in feat/mel-computations.h): triangles over mels. The last bin, half
// of the sample rate, is in none.
std::vector<float> KaldiMelFilterBank(const FeatureSpec& features, int32_t sample_rate);

// The filters of a bank, each as the stretch of bins where it is not 0: of 513 bins an average
// filter of 64 uses 14.
class MelFilters {
 public:
  // `bank` has n_mels columns.
  MelFilters(const std::vector<float>& bank, int64_t n_mels);

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
