// Triangular mel filters, as torchaudio.functional.melscale_fbanks makes them.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/bundle/manifest.h"

namespace consort {

// Row by row, [n_fft / 2 + 1, n_mels]: weights of each frequency bin (Hz, 0 to sample_rate / 2) in
// each filter. Computed in double.
std::vector<float> MelFilterBank(const FeatureSpec& features, int32_t sample_rate);

}  // namespace consort
