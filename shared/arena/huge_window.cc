#include "shared/arena/huge_window.h"

#include <sys/mman.h>

namespace consort {
namespace {

constexpr int64_t kLeastBytes = 2 * kHugePageBytes;

}  // namespace

int64_t ArenaFileBytes(int64_t bytes) {
  if (bytes < kLeastBytes) return bytes;
  return (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
}

void* ReserveAligned(size_t bytes) {
  constexpr auto kPage = size_t{4096};
  constexpr auto kHuge = static_cast<size_t>(kHugePageBytes);
  const size_t whole = (bytes + kPage - 1) / kPage * kPage;
  void* reserved = mmap(nullptr, whole + kHuge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  char* begin = static_cast<char*>(reserved);
  const size_t before = (kHuge - reinterpret_cast<uintptr_t>(begin) % kHuge) % kHuge;
  if (before > 0) munmap(begin, before);
  if (before < kHuge) munmap(begin + before + whole, kHuge - before);
  return begin + before;
}

HugeWindow::HugeWindow(int fd, int64_t offset, size_t bytes) : bytes_(bytes) {
  void* at = ReserveAligned(bytes);
  if (at == nullptr) return;
  if (mmap(at, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, offset) == MAP_FAILED) {
    munmap(at, bytes);
    return;
  }
  at_ = at;
}

HugeWindow::~HugeWindow() {
  if (at_ != nullptr) munmap(at_, bytes_);
}

}  // namespace consort
