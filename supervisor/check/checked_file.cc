#include "supervisor/check/checked_file.h"

#include <cstring>

#include "shared/record/wire.h"

namespace consort {

void Append(std::string& out, const CheckedFile& file) {
  std::vector<uint8_t> info;
  if (file.info) Encode(*file.info, info);
  std::vector<uint8_t> bytes;
  WireWriter writer(bytes);
  writer.PutBytes(file.name);
  writer.PutBytes(file.path);
  writer.PutBytes({reinterpret_cast<const char*>(info.data()), info.size()});
  writer.Put(file.code ? static_cast<uint32_t>(*file.code) : 0U);
  writer.PutBytes(file.message);
  writer.Put(file.at_ms.value_or(-1));
  const auto size = static_cast<uint32_t>(bytes.size());
  out.append(reinterpret_cast<const char*>(&size), sizeof(size));
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

bool TakeFirst(std::string_view& in, CheckedFile& file) {
  uint32_t size = 0;
  if (in.size() < sizeof(size)) return false;
  std::memcpy(&size, in.data(), sizeof(size));
  if (in.size() - sizeof(size) < size) return false;
  WireReader reader(in.data() + sizeof(size), size);
  in.remove_prefix(sizeof(size) + size);
  file = {};
  file.name = std::string(reader.GetBytes());
  file.path = std::string(reader.GetBytes());
  const std::string_view info = reader.GetBytes();
  file.code = ToErrorCode(reader.Get<uint32_t>());
  file.message = std::string(reader.GetBytes());
  if (const auto at_ms = reader.Get<int64_t>(); at_ms >= 0) file.at_ms = at_ms;
  ResultRecord record;
  if (!info.empty() && DecodeResult(kFileInfoRecord, info.data(), info.size(), record)) {
    file.info = std::get<FileInfo>(record);
  }
  return true;
}

}  // namespace consort
