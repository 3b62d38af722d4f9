#include "worker/infer/forward.h"

#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>

#include "worker/infer/reason.h"

namespace consort {

at::Tensor InputTensor(std::span<const float> input, const ModelSource& source) {
  const auto tensor =
      at::from_blob(const_cast<float*>(input.data()), source.input_shape, at::kFloat);
  return reinterpret_cast<uintptr_t>(input.data()) % 64 == 0 ? tensor : tensor.clone();
}

namespace {

Error WrongSize(int64_t scores, int64_t segments, const std::string& instead) {
  return Error{"the model gives " + std::to_string(scores) + " scores for " +
                   (segments == 1 ? "a segment" : std::to_string(segments) + " segments") + ", " +
                   instead,
               "write one label for each score, in their order, and make the bundle again"};
}

}  // namespace

Status TakeScores(const at::Tensor& answer, const ModelSource& source, std::vector<float>& scores) {
  const auto tensor = answer.to(at::kFloat).contiguous();
  const auto segments = source.input_shape.front();
  const auto labels = static_cast<int64_t>(source.bundle->labels.size());
  const auto& manifest = source.bundle->manifest;
  if (manifest.output.kind == OutputSpec::Kind::kTags) {
    if (tensor.numel() != segments * labels) {
      return WrongSize(tensor.numel(), segments,
                       "but there are " + std::to_string(labels) + " labels");
    }
  } else if (tensor.dim() < 2 || tensor.size(-1) != labels) {
    return WrongSize(tensor.numel(), segments,
                     "not frames of " + std::to_string(labels) + " labels each");
  } else if (tensor.numel() != segments * manifest.prepared.output_size) {
    return WrongSize(tensor.numel(), segments,
                     "and gave " + std::to_string(manifest.prepared.output_size) +
                         " for each when the bundle was made");
  }
  const auto* values = tensor.const_data_ptr<float>();
  scores.assign(values, values + tensor.numel());
  return Ok();
}

Error ForwardTrouble(const std::exception& trouble) {
  if (!IsOutOfMemory(trouble)) return Error{"the model failed: " + Reason(trouble)};
  std::fprintf(stderr, "consort-worker: the model ran out of memory: %s\n",
               Reason(trouble).c_str());
  std::abort();
}

}  // namespace consort
