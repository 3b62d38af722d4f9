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
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "shared/bundle/built_for.h"
#include "worker/infer/forward.h"
#include "worker/infer/model.h"
#include "worker/infer/quiet_errors.h"
#include "worker/infer/reason.h"
#include "worker/infer/weights.h"

namespace consort {
namespace {

constexpr char kCode[] = "code";
constexpr char kModelName[] = "model";

// The code, opened, and the constants that it was pointed to. May throw.
class Package {
 public:
  using Constants = std::unordered_map<std::string, at::Tensor>;

  // `runners`: how many threads may run it at once without waiting.
  Package(const std::string& folder, size_t runners)
      : loader_(folder, kModelName, /*run_single_threaded=*/false, runners) {}

  // What it wants to be pointed to: type by name.
  auto Wanted() { return loader_.get_runner()->getConstantNamesToDtypes(); }

  // `constants` by the table's names. Those in `written` become this package's own: a copy, which
  // the code writes to.
  void PointTo(Constants constants, const std::vector<std::string>& written) {
    constants_ = std::move(constants);
    for (const auto& name : written) {
      at::Tensor& mine = constants_.at(name);
      const at::Tensor saved = mine;
      mine = saved.clone();
      written_.emplace_back(mine, saved);
    }
    // By the runner, whose keys are the table's names; the loader's own are names of the original
    // program, which repeat in quantized ones.
    loader_.get_runner()->update_constant_buffer(constants_, /*use_inactive=*/false,
                                                 /*validate_full_updates=*/true,
                                                 /*user_managed=*/true);
  }

  at::Tensor Run(at::Tensor input) {
    const QuietErrors quiet;
    std::vector<at::Tensor> inputs;
    inputs.push_back(std::move(input));
    const auto outputs = loader_.boxed_run(std::move(inputs));
    return outputs.empty() ? at::empty({0}) : outputs.front();
  }

  // What it wrote to is as it was saved.
  void Reset() {
    for (const auto& [mine, saved] : written_) mine.copy_(saved);
  }

 private:
  // The runner keeps pointers to these very tensors, so they go after it.
  Constants constants_;
  std::vector<std::pair<at::Tensor, at::Tensor>> written_;  // the package's own, the arena's
  torch::inductor::AOTIModelPackageLoader loader_;
};

class PackagedModel : public Model {
 public:
  explicit PackagedModel(const ModelSource& source) : source_(source) {}

  Status Load() {
    CONSORT_TRY(CheckCode());
    CONSORT_TRY(CheckInput());
    try {
      // As many copies of the model's small state as engines: an engine that finds none free waits.
      const auto runners = static_cast<size_t>(std::max(1, source_.engines));
      shared_ = std::make_shared<Package>(CodeFolder(), runners);
      CONSORT_TRY(constants_, AliasConstants());
      shared_->PointTo(constants_, written());
      return Ok();
    } catch (const std::exception& trouble) {
      return Trouble(trouble);
    }
  }

  Result<std::unique_ptr<Runner>> NewRunner() override;

  const ModelSource& source() const { return source_; }

 private:
  Error Wrong(const std::string& what, const std::string& hint = kMakeAgain) const {
    return Error{"bundle \"" + source_.bundle->folder + "\": " + what, hint};
  }

  std::string CodeFolder() const { return source_.bundle->folder + "/" + kCode; }

  Error Trouble(const std::exception& trouble) const {
    return Error{"could not load \"" + CodeFolder() + "\": " + Reason(trouble), kMakeAgain};
  }

  const std::vector<std::string>& written() const {
    return source_.bundle->manifest.prepared.written_buffers;
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
  Result<Package::Constants> AliasConstants() const {
    const auto wanted = shared_->Wanted();
    Package::Constants constants;
    for (const auto& entry : source_.bundle->weights.tensors) {
      const auto found = wanted.find(entry.name);
      if (found == wanted.end()) return Wrong("its code has no weight \"" + entry.name + "\"");
      CONSORT_TRY(at::Tensor weight, entry.opaque ? ViewPackedWeight(entry, *source_.arena)
                                                  : ViewWeight(entry, *source_.arena));
      if (static_cast<int32_t>(weight.scalar_type()) != found->second) {
        return Wrong("the weight \"" + entry.name + "\" has another type in its code");
      }
      constants.emplace(entry.name, std::move(weight));
    }
    for (const auto& [name, type] : wanted) {
      if (!constants.contains(name)) {
        return Wrong("\"weights.json\" has no weight \"" + name + "\"");
      }
    }
    for (const auto& name : written()) {
      if (!constants.contains(name)) return Wrong("its code has no buffer \"" + name + "\"");
    }
    return constants;
  }

  ModelSource source_;
  Package::Constants constants_;  // views of the arena
  std::shared_ptr<Package> shared_;
  std::mutex opening_;
};

class PackagedRunner : public Runner {
 public:
  PackagedRunner(const PackagedModel& model, std::shared_ptr<Package> package)
      : model_(model), package_(std::move(package)) {}

  Status Forward(std::span<const float> input, std::vector<float>& scores) override {
    c10::InferenceMode inference;
    try {
      const at::Tensor answer = package_->Run(InputTensor(input, model_.source()));
      return TakeScores(answer, model_.source(), scores);
    } catch (const std::exception& trouble) {
      return ForwardTrouble(trouble);
    }
  }

  Status Reset() override {
    c10::InferenceMode inference;
    package_->Reset();
    return Ok();
  }

 private:
  const PackagedModel& model_;
  std::shared_ptr<Package> package_;
};

// Compiled code without state may be everybody's. Code that writes to its buffers is one engine's.
Result<std::unique_ptr<Runner>> PackagedModel::NewRunner() {
  std::shared_ptr<Package> package = shared_;
  if (source_.bundle->manifest.stateful) {
    const std::lock_guard lock(opening_);
    try {
      package = std::make_shared<Package>(CodeFolder(), 1);
      package->PointTo(constants_, written());
    } catch (const std::exception& trouble) {
      return Trouble(trouble);
    }
  }
  return std::unique_ptr<Runner>(std::make_unique<PackagedRunner>(*this, std::move(package)));
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
