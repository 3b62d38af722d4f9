#include "worker/infer/weights.h"

#include <ATen/ATen.h>

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

}  // namespace

Result<at::Tensor> ViewWeight(const WeightEntry& entry, const ArenaView& arena) {
  const auto type = TypesByName().find(entry.dtype);
  if (type == TypesByName().end() || entry.opaque) {
    return Error{
        "the weight \"" + entry.name + "\" has a type or layout that this backend cannot take",
        "make the bundle again with the consort-prepare of this version"};
  }
  const bool empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
  if (empty) return at::empty_strided(entry.shape, entry.strides, type->second);
  if (entry.offset + entry.nbytes > arena.size()) {
    return Error{"the weight \"" + entry.name + "\" lies outside of the shared weights"};
  }
  // LibTorch has no tensor over const bytes; the mapping itself refuses a write.
  auto* bytes = const_cast<std::byte*>(arena.data() + entry.offset);
  return at::for_blob(bytes, entry.shape)
      .strides(entry.strides)
      .storage_offset(entry.storage_offset)
      .options(type->second)
      .make_tensor();
}

}  // namespace consort
