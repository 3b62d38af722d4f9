#include "worker/infer/weights.h"

#include <ATen/ATen.h>
#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/inductor/aoti_torch/utils.h>

#include <map>

namespace consort {
namespace {

const std::map<std::string, at::ScalarType>& TypesByName() {
  static const std::map<std::string, at::ScalarType> types = {{"float16", at::kHalf},
                                                              {"bfloat16", at::kBFloat16},
                                                              {"float32", at::kFloat},
                                                              {"float64", at::kDouble},
                                                              {"int8", at::kChar},
                                                              {"uint8", at::kByte},
                                                              {"int16", at::kShort},
                                                              {"int32", at::kInt},
                                                              {"int64", at::kLong},
                                                              {"bool", at::kBool},
                                                              {"complex64", at::kComplexFloat},
                                                              {"complex128", at::kComplexDouble}};
  return types;
}

Error CannotTake(const WeightEntry& entry) {
  return Error{
      "the weight \"" + entry.name + "\" has a type or layout that this backend cannot take",
      "make the bundle again with the consort-prepare of this version"};
}

Error Outside(const WeightEntry& entry) {
  return Error{"the weight \"" + entry.name + "\" lies outside of the shared weights"};
}

// LibTorch has no tensor over const bytes; the mapping itself refuses a write.
std::byte* Bytes(const WeightEntry& entry, const ArenaView& arena) {
  return const_cast<std::byte*>(arena.data() + entry.offset);
}

}  // namespace

Result<at::Tensor> ViewWeight(const WeightEntry& entry, const ArenaView& arena) {
  const auto type = TypesByName().find(entry.dtype);
  if (type == TypesByName().end() || entry.opaque) return CannotTake(entry);
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  if (empty) return at::empty_strided(entry.shape, entry.strides, type->second);
  if (entry.offset + entry.nbytes > arena.size()) return Outside(entry);
  return at::for_blob(Bytes(entry, arena), entry.shape)
      .strides(entry.strides)
      .storage_offset(entry.storage_offset)
      .options(type->second)
      .make_tensor();
}

Result<at::Tensor> ViewPackedWeight(const WeightEntry& entry, const ArenaView& arena) {
  const auto type = TypesByName().find(entry.dtype);
  if (type == TypesByName().end() || !entry.opaque) return CannotTake(entry);
  if (entry.offset + entry.nbytes > arena.size()) return Outside(entry);
  AtenTensorHandle handle = nullptr;  // borrows the bytes; the descriptor is read here and not kept
  const auto failed = aoti_torch_create_tensor_from_blob_v2(
      Bytes(entry, arena), static_cast<int64_t>(entry.shape.size()), entry.shape.data(),
      entry.strides.data(), entry.storage_offset, static_cast<int32_t>(type->second),
      aoti_torch_device_type_cpu(), 0, &handle, aoti_torch_layout__mkldnn(),
      entry.descriptor.data(), static_cast<int64_t>(entry.descriptor.size()));
  if (failed != 0) return CannotTake(entry);
  const at::Tensor tensor = *torch::aot_inductor::tensor_handle_to_tensor_pointer(handle);
  aoti_torch_delete_tensor_object(handle);
  return tensor;
}

}  // namespace consort
