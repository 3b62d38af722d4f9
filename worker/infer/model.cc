#include "worker/infer/model.h"

#include <array>
#include <utility>

#include "worker/infer/aligned_floats.h"

namespace consort {
namespace {

using Loader = Result<std::unique_ptr<Model>> (*)(const ModelSource&);

constexpr std::array kLoaders = {
    std::pair<Prepared::Backend, Loader>{Prepared::Backend::kAoti, LoadAoti},
    std::pair<Prepared::Backend, Loader>{Prepared::Backend::kTorchScript, LoadTorchScript},
};

// TorchScript profiles in its first run and compiles in its second.
constexpr int kWarmUpForwards = 3;

}  // namespace

size_t ModelSource::InputSize() const {
  size_t size = 1;
  for (const int64_t length : input_shape) size *= static_cast<size_t>(length);
  return size;
}

Result<std::unique_ptr<Model>> LoadModel(const ModelSource& source) {
  for (const auto& [backend, load] : kLoaders) {
    if (backend == source.bundle->manifest.prepared.backend) return load(source);
  }
  return Error{"bundle \"" + source.bundle->folder + "\": its backend is not in this program",
               "make the bundle again with the consort-prepare of this version"};
}

Status WarmUp(Model& model, const ModelSource& source) {
  AlignedFloats silence(source.InputSize());
  std::vector<float> scores;
  CONSORT_TRY(const auto runner, model.NewRunner());
  for (int i = 0; i < kWarmUpForwards; ++i) {
    CONSORT_TRY(runner->Forward(silence.span(), scores));
  }
  return Ok();
}

}  // namespace consort
