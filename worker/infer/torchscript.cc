// A TorchScript module whose tensors are views of the arena.
//
// code.pt is the module with an empty placeholder for each parameter and buffer. That module never
// runs. What runs is a deep copy of it in which every placeholder, wherever it is referred to, is
// replaced: by the one view of the arena, or for a buffer that the model writes to by a new copy of
// its bytes. A deep copy has the module's own types, so the code compiled for one serves all; and
// lists, dictionaries and plain attributes of one copy are no other's.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <torch/script.h>

#include <algorithm>
#include <map>
#include <set>

#include "worker/infer/forward.h"
#include "worker/infer/model.h"
#include "worker/infer/reason.h"
#include "worker/infer/weights.h"

namespace consort {
namespace {

using torch::jit::IValue;
using Object = c10::ivalue::Object;
using ObjectPtr = c10::intrusive_ptr<Object>;
using Replacements = IValue::HashIdentityIValueMap;

// As named_parameters() and named_buffers() choose: an optional buffer is none.
bool IsWeight(const c10::ClassType& type, size_t slot, const IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined()) return false;
  return type.is_parameter(slot) ||
         (type.is_buffer(slot) && type.getAttribute(slot)->isSubtypeOf(*c10::TensorType::get()));
}

// Every parameter and buffer by name, in the module's order; modules reached twice have both names.
// On the way the modules are told that they are not being trained, which some have no say in.
void CollectWeights(const ObjectPtr& object, const std::string& prefix,
                    std::map<std::string, at::Tensor>& found) {
  const auto& type = *object->type();
  for (size_t slot = 0; slot < type.numAttributes(); ++slot) {
    const IValue& value = object->getSlot(slot);
    const std::string name = prefix + type.getAttributeName(slot);
    if (type.getAttribute(slot)->is_module() && value.isObject()) {
      CollectWeights(value.toObject(), name + ".", found);
    } else if (IsWeight(type, slot, value)) {
      found.emplace(name, value.toTensor());
    } else if (type.getAttributeName(slot) == "training" && value.isBool()) {
      object->setSlot(slot, false);
    }
  }
}

class ScriptModel : public Model {
 public:
  explicit ScriptModel(const ModelSource& source) : source_(source) {}

  Status Load() {
    torch::jit::Module module;
    const std::string path = source_.bundle->folder + "/code.pt";
    try {
      module = torch::jit::load(path, at::kCPU);
      code_ = module._ivalue();
      if (!module.find_method("forward")) return Wrong("its code has no method \"forward\"");
    } catch (const std::exception& trouble) {
      return Error{"could not load \"" + path + "\": " + Reason(trouble), kMakeAgain};
    }
    return AliasWeights();
  }

  Result<std::unique_ptr<Runner>> NewRunner() override;

  // A module of its own for one engine, in the state it was saved in.
  torch::jit::Module Copy() const {
    Replacements replacements = shared_;
    for (const auto& [placeholder, weight] : written_) replacements[placeholder] = weight.clone();
    return torch::jit::Module(code_->deepcopy(replacements));
  }

  const ModelSource& source() const { return source_; }

 private:
  Error Wrong(const std::string& what) const {
    return Error{"bundle \"" + source_.bundle->folder + "\": " + what, kMakeAgain};
  }

  // Names must be the same in code and table, in both directions: a weight that stayed behind would
  // be zeros or another model's, silently.
  Status AliasWeights() {
    std::map<std::string, at::Tensor> placeholders;
    CollectWeights(code_, "", placeholders);
    const auto& names = source_.bundle->manifest.prepared.written_buffers;
    const std::set<std::string> written(names.begin(), names.end());
    for (const auto& name : written) {
      if (!placeholders.contains(name)) return Wrong("its code has no buffer \"" + name + "\"");
    }
    for (const auto& entry : source_.bundle->weights.tensors) {
      const auto found = placeholders.find(entry.name);
      if (found == placeholders.end())
        return Wrong("its code has no weight \"" + entry.name + "\"");
      CONSORT_TRY(const at::Tensor weight, ViewWeight(entry, *source_.arena));
      if (weight.scalar_type() != found->second.scalar_type()) {
        return Wrong("the weight \"" + entry.name + "\" has another type in its code");
      }
      CONSORT_TRY(Replace(entry, found->second, weight, written.contains(entry.name)));
      placeholders.erase(found);
    }
    if (placeholders.empty()) return Ok();
    return Wrong("\"weights.json\" has no weight \"" + placeholders.begin()->first + "\"");
  }

  Status Replace(const WeightEntry& entry, const at::Tensor& placeholder, const at::Tensor& weight,
                 bool is_written) {
    const auto before = shared_.find(placeholder);
    if (before != shared_.end()) {  // one tensor with two names
      const at::Tensor& other = before->second.toTensor();
      const bool same = other.data_ptr() == weight.data_ptr() && other.sizes() == weight.sizes() &&
                        other.strides() == weight.strides();
      if (!same)
        return Wrong("the weight \"" + entry.name + "\" is tied to another one in its code");
    }
    shared_[placeholder] = weight;
    if (is_written) written_.emplace_back(placeholder, weight);
    return Ok();
  }

  ModelSource source_;
  ObjectPtr code_;                                      // with placeholders
  Replacements shared_;                                 // placeholder → view of the arena
  std::vector<std::pair<IValue, at::Tensor>> written_;  // those to be copied
};

class ScriptRunner : public Runner {
 public:
  explicit ScriptRunner(const ScriptModel& model) : model_(model), module_(model.Copy()) {}

  Status Forward(std::span<const float> input, std::vector<float>& scores) override {
    c10::InferenceMode inference;
    try {
      if (used_ && !model_.source().bundle->manifest.stateful) module_ = model_.Copy();
      used_ = true;
      const IValue answer = module_.forward({Input(input)});
      const bool several = answer.isTuple() && !answer.toTupleRef().elements().empty();
      const IValue& first = several ? answer.toTupleRef().elements()[0] : answer;
      if (!first.isTensor()) return Error{"the model gives no tensor but a " + first.tagKind()};
      return TakeScores(first.toTensor(), model_.source(), scores);
    } catch (const std::exception& trouble) {
      return ForwardTrouble(trouble);
    }
  }

  Status Reset() override {
    c10::InferenceMode inference;
    try {
      if (used_) module_ = model_.Copy();
      used_ = false;
      return Ok();
    } catch (const std::exception& trouble) {
      return ForwardTrouble(trouble);
    }
  }

 private:
  // A model with state may keep what it hears, or a part of it; the caller's buffer is soon another
  // segment's. Without state the module is another one the next time.
  at::Tensor Input(std::span<const float> input) const {
    at::Tensor tensor = InputTensor(input, model_.source());
    return model_.source().bundle->manifest.stateful ? tensor.clone() : tensor;
  }

  const ScriptModel& model_;
  torch::jit::Module module_;
  bool used_ = false;  // since it was copied
};

Result<std::unique_ptr<Runner>> ScriptModel::NewRunner() {
  try {
    c10::InferenceMode inference;
    return std::unique_ptr<Runner>(std::make_unique<ScriptRunner>(*this));
  } catch (const std::exception& trouble) {
    return Wrong("could not copy the model: " + Reason(trouble));
  }
}

}  // namespace

Result<std::unique_ptr<Model>> LoadTorchScript(const ModelSource& source) {
  auto model = std::make_unique<ScriptModel>(source);
  CONSORT_TRY(model->Load());
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace consort
