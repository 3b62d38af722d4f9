// What every backend's Forward begins and ends with. Includes LibTorch: for loaders only.
#pragma once

#include <ATen/core/Tensor.h>

#include <exception>
#include <span>
#include <vector>

#include "shared/base/result.h"
#include "worker/infer/model.h"

namespace consort {

// `input` as a tensor of the source's shape: borrowed if it is 64-byte aligned, else a copy.
at::Tensor InputTensor(std::span<const float> input, const ModelSource& source);

// The model's answer as floats, one for each label of each segment of the batch.
Status TakeScores(const at::Tensor& answer, const ModelSource& source, std::vector<float>& scores);

// What Forward says of an exception. Does not return if memory ran out: that is like a crash, so
// that the segment is handed out again. With memory free it may well succeed.
Error ForwardTrouble(const std::exception& trouble);

}  // namespace consort
