// A mapping whose address lies as its offset does within a huge page, as the processor needs it to
// use one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace consort {

// Of every processor that LibTorch is built for, with pages of 4 KiB.
inline constexpr int64_t kHugePageBytes = 2 << 20;

// Size of the memfd for that many bytes: whole huge pages, since the last one would otherwise be
// made of small ones; but a small arena stays as it is.
int64_t ArenaFileBytes(int64_t bytes);

// An address for MAP_FIXED: reserved, nothing behind it, aligned to a huge page. Null: no room.
void* ReserveAligned(size_t bytes);

// A read-only shared mapping of some bytes of `fd`, unmapped at the end.
class HugeWindow {
 public:
  HugeWindow(int fd, int64_t offset, size_t bytes);
  ~HugeWindow();
  HugeWindow(const HugeWindow&) = delete;
  HugeWindow& operator=(const HugeWindow&) = delete;

  explicit operator bool() const { return at_ != nullptr; }
  void* data() const { return at_; }
  size_t bytes() const { return bytes_; }

 private:
  void* at_ = nullptr;
  size_t bytes_;
};

}  // namespace consort
