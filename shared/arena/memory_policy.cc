#include "shared/arena/memory_policy.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <fstream>
#include <sstream>
#include <string>

namespace consort {
namespace {

constexpr size_t kMostNodes = 1024;  // of any Linux
constexpr size_t kWordBits = sizeof(unsigned long) * CHAR_BIT;

}  // namespace

int MemoryPolicy::Set(void* at, size_t bytes, Mode mode, int node) {
  if (node < 0 || static_cast<size_t>(node) >= kMostNodes) return EINVAL;
  std::array<unsigned long, kMostNodes / kWordBits> mask{};
  mask[static_cast<size_t>(node) / kWordBits] = 1UL << (static_cast<size_t>(node) % kWordBits);
  // The kernel reads one bit fewer than it is told.
  const long failed =
      syscall(SYS_mbind, at, bytes, mode == Mode::kBind ? MPOL_BIND : MPOL_PREFERRED, mask.data(),
              kMostNodes + 1, 0);
  return failed == 0 ? 0 : errno;
}

int MemoryPolicy::NodeOf(void* page) {
  int status = -ENOENT;
  // Without a list of nodes to move to it only asks.
  if (syscall(SYS_move_pages, 0, 1UL, &page, nullptr, &status, 0) != 0) return -errno;
  return status;
}

int64_t MemoryPolicy::AvailableBytes(int node) {
  std::ifstream meminfo("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
  int64_t kib = -1;
  // `Node 0 MemFree:  123 kB`
  for (std::string line; std::getline(meminfo, line);) {
    std::istringstream words(line);
    std::string skipped, key;
    int number = 0;
    int64_t value = 0;
    if (!(words >> skipped >> number >> key >> value)) continue;
    if (key == "MemFree:") kib = value + (kib < 0 ? 0 : kib);
    // Cached files are given up for what is needed.
    if ((key == "Active(file):" || key == "Inactive(file):") && kib >= 0) kib += value;
    if (key == "Dirty:" && kib >= 0) kib -= value;
  }
  return kib < 0 ? -1 : kib << 10;
}

}  // namespace consort
