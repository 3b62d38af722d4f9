// A segment's level brought to what the model was trained on, before its features are taken.
#pragma once

#include <span>

#include "shared/bundle/manifest.h"

namespace consort {

// In place, over the whole padded segment. Sums are kept in double.
//   zero_mean_unit_variance   (x - mean) / sqrt(population variance + 1e-7)
//   peak                      x / max|x|; silence stays silence
void Normalize(AudioSpec::Normalize kind, std::span<float> wave);

}  // namespace consort
