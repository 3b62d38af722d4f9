#include "shared/bundle/tag_choice.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/base/write_all.h"
#include "shared/record/result.h"
#include "shared/record/wire.h"

namespace consort {
namespace {

constexpr uint32_t kVersion = 1;
constexpr off_t kMostBytes = 64 << 20;

Error Damaged(const char* what) {
  return Error{std::string("the run's choice of tags is damaged: ") + what,
               "install consort and consort-worker of one build"};
}

}  // namespace

Result<UniqueFd> SealTagChoice(const OutputSpec& output) {
  std::vector<uint8_t> bytes;
  WireWriter writer(bytes);
  writer.Put(kVersion);
  writer.Put(output.top_k);
  writer.Put(static_cast<uint32_t>(output.label_thresholds.size()));
  for (const float threshold : output.label_thresholds) writer.Put(threshold);
  UniqueFd memory(::memfd_create("consort-tags", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return SystemError("make shared memory for the choice of tags", "", errno);
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CONSORT_TRY(WriteAll(memory.get(), text, "memory for the choice of tags"));
  if (::fcntl(memory.get(), F_ADD_SEALS, kSeals) != 0) {
    return SystemError("seal the choice of tags", "", errno);
  }
  return memory;
}

Status ReadTagChoice(int fd, size_t labels, OutputSpec& output) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return SystemError("read the choice of tags", "", errno);
  if (status.st_size > kMostBytes) return Damaged("its size");
  std::vector<uint8_t> bytes(static_cast<size_t>(status.st_size));
  // Others have the same descriptor, and so the same place in it.
  if (::pread(fd, bytes.data(), bytes.size(), 0) != status.st_size) {
    return SystemError("read the choice of tags", "", errno);
  }
  WireReader reader(bytes.data(), bytes.size());
  if (reader.Get<uint32_t>() != kVersion) return Damaged("its version");
  const auto top_k = reader.Get<int64_t>();
  if (top_k < 1 || top_k > static_cast<int64_t>(kMaxTags)) return Damaged("how many tags");
  if (reader.Get<uint32_t>() != labels) return Damaged("its number of labels");
  std::vector<float> thresholds(labels);
  for (float& threshold : thresholds) {
    threshold = reader.Get<float>();
    if (std::isnan(threshold)) return Damaged("a threshold");
  }
  if (!reader.done()) return Damaged("its length");
  output.top_k = top_k;
  output.label_thresholds = std::move(thresholds);
  return Ok();
}

}  // namespace consort
