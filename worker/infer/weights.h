// The tensors of a weight table as views of the arena. Includes LibTorch: for loaders only.
#pragma once

#include <ATen/core/Tensor.h>

#include "shared/arena/arena.h"
#include "shared/base/result.h"
#include "shared/bundle/bundle.h"

namespace consort {

// A tensor that borrows the entry's bytes, which are read-only: writing to it ends the process. The
// entry's range must have been checked against the arena's size (ParseWeightTable does).
Result<at::Tensor> ViewWeight(const WeightEntry& entry, const ArenaView& arena);

// The same for a weight in an opaque layout of oneDNN, which compiled code alone can take.
Result<at::Tensor> ViewPackedWeight(const WeightEntry& entry, const ArenaView& arena);

}  // namespace consort
