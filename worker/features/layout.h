// Where a frame's values lie in what the model takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shared/bundle/manifest.h"

namespace consort {

// The shape of `frames` frames of `values` values, with a batch of 1 in front.
inline std::vector<int64_t> LaidOut(FeatureSpec::Layout layout, int64_t frames, int64_t values) {
  switch (layout) {
    case FeatureSpec::Layout::kBCTM:
      return {1, 1, frames, values};
    case FeatureSpec::Layout::kBTM:
      return {1, frames, values};
    case FeatureSpec::Layout::kBMT:
      break;
  }
  return {1, values, frames};
}

// Puts `values` into `out` as frame i of `frames`; to(value) is what is put there.
template <typename Value, typename To>
void PutFrame(FeatureSpec::Layout layout, std::span<const Value> values, size_t i, size_t frames,
              std::span<float> out, To to) {
  const bool turned = layout == FeatureSpec::Layout::kBMT;
  const size_t step = turned ? frames : 1;
  float* place = out.data() + (turned ? i : i * values.size());
  for (const Value value : values) {
    *place = to(value);
    place += step;
  }
}

}  // namespace consort
