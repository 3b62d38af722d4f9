// A package of AOTInductor whose constants are views of the arena.
//
// code/ is the package unpacked, without its constants: a library that is opened where it lies.
// Nothing is copied, neither the code to a temporary folder nor the constants to private memory.
// The library believes what it is told: it checks neither the input's shape nor that it was given
// all constants, and crashes or reads beyond. So everything is checked here before the first run.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/headeronly/version.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "shared/bundle/built_for.h"
#include "worker/infer/forward.h"
#include "worker/infer/model.h"
#include "worker/infer/quiet_errors.h"
#include "worker/infer/reason.h"
#include "worker/infer/weights.h"

namespace consort {
namespace {

constexpr char kMakeAgain[] = "make the bundle again with consort-prepare";
constexpr char kCode[] = "code";
constexpr char kModelName[] = "model";

class PackagedModel : public Model {
 public:
  explicit PackagedModel(const ModelSource& source) : source_(source) {}

  Status Load() {
    CONSORT_TRY(CheckCode());
    CONSORT_TRY(CheckInput());
    const std::string path = source_.bundle->folder + "/" + kCode;
    try {
      // As many copies of the model's small state as engines: an engine that finds none free waits.
      const auto runners = static_cast<size_t>(std::max(1, source_.engines));
      loader_.emplace(path, kModelName, /*run_single_threaded=*/false, runners);
      return AliasConstants();
    } catch (const std::exception& trouble) {
      return Error{"could not load \"" + path + "\": " + Reason(trouble), kMakeAgain};
    }
  }

  Result<std::unique_ptr<Runner>> NewRunner() override;

  // Any thread. May throw.
  at::Tensor Run(at::Tensor input) {
    const QuietErrors quiet;
    std::vector<at::Tensor> inputs;
    inputs.push_back(std::move(input));
    const auto outputs = loader_->boxed_run(std::move(inputs));
    return outputs.empty() ? at::empty({0}) : outputs.front();
  }

  const ModelSource& source() const { return source_; }

 private:
  Error Wrong(const std::string& what, const std::string& hint = kMakeAgain) const {
    return Error{"bundle \"" + source_.bundle->folder + "\": " + what, hint};
  }

  // The loader takes whatever it finds in the folder: a library put beside ours, or a file of
  // constants, which it would copy to private memory.
  Status CheckCode() const {
    const auto& files = source_.bundle->manifest.prepared.files;
    std::error_code trouble;
    const std::filesystem::path folder(source_.bundle->folder);
    const auto options = std::filesystem::directory_options::follow_directory_symlink;
    std::filesystem::recursive_directory_iterator entry(folder / kCode, options, trouble);
    for (; !trouble && entry != end(entry); entry.increment(trouble)) {
      if (entry->is_directory(trouble)) continue;
      const std::string name = entry->path().lexically_relative(folder).string();
      const bool listed = std::any_of(files.begin(), files.end(),
                                      [&](const auto& file) { return file.name == name; });
      if (!listed) return Wrong("\"" + name + "\" is not a file of this bundle", "remove it");
    }
    if (trouble) return SystemError("open", (folder / kCode).string(), trouble.value());
    return Ok();
  }

  Status CheckInput() const {
    if (source_.bundle->manifest.prepared.input_shape == source_.input_shape) return Ok();
    return Wrong("its code takes another input than the features that model.json describes");
  }

  // Names and types must be the same in code and table, in both directions.
  Status AliasConstants() {
    const auto wanted = loader_->get_runner()->getConstantNamesToDtypes();
    for (const auto& entry : source_.bundle->weights.tensors) {
      const auto found = wanted.find(entry.name);
      if (found == wanted.end()) return Wrong("its code has no weight \"" + entry.name + "\"");
      CONSORT_TRY(at::Tensor weight, entry.opaque ? ViewPackedWeight(entry, *source_.arena)
                                                  : ViewWeight(entry, *source_.arena));
      if (static_cast<int32_t>(weight.scalar_type()) != found->second) {
        return Wrong("the weight \"" + entry.name + "\" has another type in its code");
      }
      constants_.emplace(entry.name, std::move(weight));
    }
    for (const auto& [name, type] : wanted) {
      if (!constants_.contains(name)) {
        return Wrong("\"weights.json\" has no weight \"" + name + "\"");
      }
    }
    // By the runner, whose keys are the table's names; the loader's own are names of the original
    // program, which repeat in quantized ones.
    loader_->get_runner()->update_constant_buffer(constants_, /*use_inactive=*/false,
                                                  /*validate_full_updates=*/true,
                                                  /*user_managed=*/true);
    return Ok();
  }

  ModelSource source_;
  // The runner keeps pointers to these very tensors, so they go after it.
  std::unordered_map<std::string, at::Tensor> constants_;
  std::optional<torch::inductor::AOTIModelPackageLoader> loader_;
};

// Compiled code keeps no state from one call to the next.
class PackagedRunner : public Runner {
 public:
  explicit PackagedRunner(PackagedModel& model) : model_(model) {}

  Status Forward(std::span<const float> input, std::vector<float>& scores) override {
    c10::InferenceMode inference;
    try {
      const at::Tensor answer = model_.Run(InputTensor(input, model_.source()));
      return TakeScores(answer, model_.source(), scores);
    } catch (const std::exception& trouble) {
      return ForwardTrouble(trouble);
    }
  }

 private:
  PackagedModel& model_;
};

Result<std::unique_ptr<Runner>> PackagedModel::NewRunner() {
  return std::unique_ptr<Runner>(std::make_unique<PackagedRunner>(*this));
}

}  // namespace

Result<std::unique_ptr<Model>> LoadAoti(const ModelSource& source) {
  CONSORT_TRY(const auto cpu, ReadCpuIdentity());
  CONSORT_TRY(CheckBuiltFor(*source.bundle, cpu, TORCH_VERSION));
  auto model = std::make_unique<PackagedModel>(source);
  CONSORT_TRY(model->Load());
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace consort
