// From what a model gives to scores, as the manifest's "activation" says.
#pragma once

#include <span>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"

namespace consort {

// An error if one of them is NaN or infinite; it says which.
Status CheckFinite(std::span<const float> raw);

// `raw` is one for each label: softmax is over all of them. `scores` is as long. In double where
// sums are taken.
void Activate(OutputSpec::Activation activation, std::span<const float> raw,
              std::span<float> scores);

}  // namespace consort
