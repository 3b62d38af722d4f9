// weights.json: where each tensor lies in weights.bin.
#include <map>

#include "shared/bundle/bundle.h"
#include "shared/bundle/json_object.h"

namespace consort {
namespace {

constexpr int64_t kAlignment = 64;

// Bytes of an element; 0 for a type we do not know.
int64_t ElementBytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> sizes = {
      {"float16", 2}, {"bfloat16", 2}, {"float32", 4},   {"float64", 8},    {"int8", 1},
      {"uint8", 1},   {"int16", 2},    {"int32", 4},     {"int64", 8},      {"bool", 1},
      {"uint16", 2},  {"uint32", 4},   {"complex64", 8}, {"complex128", 16}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

std::vector<uint8_t> FromHex(JsonObject& row, const std::string& hex) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::vector<uint8_t> bytes;
  bool good = hex.size() % 2 == 0;
  for (size_t i = 0; good && i < hex.size(); i += 2) {
    good = digit(hex[i]) >= 0 && digit(hex[i + 1]) >= 0;
    bytes.push_back(static_cast<uint8_t>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  if (!good) row.Complain("descriptor", "is not lower-case hexadecimal");
  return bytes;
}

// The bytes from `offset` that a strided tensor reaches; nothing if that overflows. The
// multiplications are the reason for the care: the numbers are the file's.
std::optional<int64_t> Reach(const WeightEntry& entry, int64_t element_bytes) {
  int64_t last = entry.storage_offset;
  for (size_t i = 0; i < entry.shape.size(); ++i) {
    if (entry.shape[i] == 0) return 0;
    int64_t span = 0;
    if (__builtin_mul_overflow(entry.shape[i] - 1, entry.strides[i], &span) ||
        __builtin_add_overflow(last, span, &last)) {
      return {};
    }
  }
  int64_t bytes = 0;
  if (last == JsonObject::kAnyCount || __builtin_mul_overflow(last + 1, element_bytes, &bytes))
    return {};
  return bytes;
}

WeightEntry ReadEntry(JsonObject row, int64_t bytes) {
  WeightEntry entry;
  entry.name = row.Text("name");
  entry.dtype = row.Text("dtype");
  entry.shape = row.Integers("shape", 0);
  entry.opaque = row.Choice<bool>("layout", {{"strided", false}, {"mkldnn", true}});
  entry.strides = row.Integers("strides", 0);
  entry.offset = row.Integer("offset", 0, bytes);
  entry.nbytes = row.Integer("nbytes", 0, bytes);
  entry.storage_offset = row.Integer("storage_offset", 0, JsonObject::kAnyCount, 0);
  entry.descriptor = FromHex(row, row.Text("descriptor", ""));
  row.Finish();

  const int64_t element_bytes = ElementBytes(entry.dtype);
  if (element_bytes == 0) row.Complain("dtype", "is \"" + entry.dtype + "\", which is not known");
  if (entry.strides.size() != entry.shape.size()) {
    row.Complain("strides", "has another length than shape");
    return entry;
  }
  if (entry.offset % kAlignment != 0) row.Complain("offset", "is not a multiple of 64");
  if (entry.nbytes > bytes - entry.offset) row.Complain("nbytes", "reaches beyond weights.bin");
  if (entry.opaque) {
    if (entry.descriptor.empty()) row.Complain("descriptor", "is missing");
    return entry;
  }
  if (!entry.descriptor.empty()) row.Complain("descriptor", "belongs to the layout mkldnn alone");
  const auto reach = Reach(entry, element_bytes);
  if (!reach || *reach > entry.nbytes) row.Complain("shape", "reaches beyond the tensor's bytes");
  return entry;
}

}  // namespace

Result<WeightTable> ParseWeightTable(const std::string& text, const std::string& path) {
  JsonFile file(text, path);
  CONSORT_TRY(file.status());
  JsonObject root(file, file.root(), "");
  WeightTable table;
  root.Integer("version", 1, 1);
  table.bytes = root.Integer("bytes", 0, JsonObject::kAnyCount);
  table.sha256 = root.Text("sha256");
  std::set<std::string> names;
  size_t index = 0;
  for (const auto& row : root.Array("tensors")) {
    const std::string where = "tensors[" + std::to_string(index++) + "]";
    table.tensors.push_back(ReadEntry(JsonObject(file, row, where), table.bytes));
    const std::string& name = table.tensors.back().name;
    if (!names.insert(name).second) file.Complain("the tensor \"" + name + "\" is listed twice");
  }
  root.Finish();
  CONSORT_TRY(file.status());
  return table;
}

}  // namespace consort
