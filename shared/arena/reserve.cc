#include "shared/arena/reserve.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/arena/huge_window.h"

#ifndef MADV_POPULATE_READ  // Linux 5.14
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLLAPSE  // Linux 6.1
#define MADV_COLLAPSE 25
#endif

namespace consort {
namespace {

constexpr size_t kPageBytes = 4096;
// At a time. Each call waits once for all CPUs, so not one call a page; what it made is mapped in
// this process, so not all at once.
constexpr int64_t kCollapseBytes = 32 << 20;
constexpr int64_t kSamples = 64;            // pages looked at afterwards
constexpr int64_t kSlackBytes = 256 << 20;  // that a node keeps for others when we bind to it

// Has this thread run on given CPUs for a while.
class StayOn {
 public:
  explicit StayOn(const std::vector<int>& cpus) {
    if (cpus.empty() || sched_getaffinity(0, sizeof(before_), &before_) != 0) return;
    cpu_set_t near;
    CPU_ZERO(&near);
    for (const int cpu : cpus) CPU_SET(static_cast<size_t>(cpu), &near);
    moved_ = sched_setaffinity(0, sizeof(near), &near) == 0;
  }
  ~StayOn() {
    if (moved_) sched_setaffinity(0, sizeof(before_), &before_);
  }
  StayOn(const StayOn&) = delete;
  StayOn& operator=(const StayOn&) = delete;

 private:
  cpu_set_t before_;
  bool moved_ = false;
};

// Where the kernel has no huge page to give, or no such call, fallocate does with small ones.
// MADV_HUGEPAGE counts where shared memory has huge pages "advise"d; MADV_COLLAPSE takes them
// whatever is set, but for "deny". It wants one page to be there in each huge one.
void TakeHugePages(int memfd, int64_t file_bytes) {
  const int64_t huge_bytes = file_bytes / kHugePageBytes * kHugePageBytes;
  for (int64_t at = 0; at < huge_bytes; at += kCollapseBytes) {
    const HugeWindow window(memfd, at,
                            static_cast<size_t>(std::min(kCollapseBytes, huge_bytes - at)));
    if (!window) return;
    madvise(window.data(), window.bytes(), MADV_HUGEPAGE);
    for (size_t page = 0; page < window.bytes(); page += static_cast<size_t>(kHugePageBytes)) {
      void* first = static_cast<char*>(window.data()) + page;
      // By advice, not by touching: where there is no memory, this fails and that is a SIGBUS.
      if (madvise(first, kPageBytes, MADV_POPULATE_READ) != 0) return;
    }
    if (madvise(window.data(), window.bytes(), MADV_COLLAPSE) != 0 && errno == EINVAL) return;
  }
}

Status Allocate(int memfd, int64_t file_bytes, int64_t bytes) {
  int trouble = 0;
  do {
    trouble = ::fallocate(memfd, 0, 0, file_bytes) == 0 ? 0 : errno;
  } while (trouble == EINTR);
  if (trouble == 0) return Ok();
  Error error = SystemError(
      "reserve " + std::to_string(bytes >> 20) + " MiB of shared memory for the weights", "",
      trouble);
  error.hint = "free some memory, or raise the limit of the container";
  return error;
}

MemoryPolicy::Mode ModeFor(int64_t file_bytes, int node, MemoryPolicy& policy) {
  return policy.AvailableBytes(node) >= file_bytes + kSlackBytes ? MemoryPolicy::Mode::kBind
                                                                 : MemoryPolicy::Mode::kPrefer;
}

// Where they are, by a sample. Nothing is said where the question is not permitted either.
std::string Verify(int memfd, int64_t file_bytes, int node, MemoryPolicy& policy) {
  const int64_t pages =
      (file_bytes + static_cast<int64_t>(kPageBytes) - 1) / static_cast<int64_t>(kPageBytes);
  const int64_t step = std::max<int64_t>(1, pages / kSamples);
  int64_t asked = 0;
  int64_t elsewhere = 0;
  for (int64_t page = 0; page < pages; page += step) {
    const HugeWindow window(memfd, page * static_cast<int64_t>(kPageBytes), kPageBytes);
    if (!window || madvise(window.data(), kPageBytes, MADV_POPULATE_READ) != 0) continue;
    const int found = policy.NodeOf(window.data());
    if (found < 0) continue;
    ++asked;
    elsewhere += found != node;
  }
  if (elsewhere == 0) return "";
  return std::to_string((elsewhere * 100 + asked - 1) / asked) + "% of the weights for NUMA node " +
         std::to_string(node) +
         " lie on another node, where its CPUs reach them more slowly; free memory on node " +
         std::to_string(node) + " (numactl --hardware shows it)";
}

}  // namespace

Result<std::string> ReserveArena(int memfd, int64_t bytes, const ArenaPlace& place,
                                 MemoryPolicy& policy) {
  const int64_t file_bytes = ArenaFileBytes(bytes);
  if (::ftruncate(memfd, file_bytes) != 0) {
    return SystemError("size the shared memory for the weights", "", errno);
  }
  if (place.node < 0) {
    TakeHugePages(memfd, file_bytes);
    CONSORT_TRY(Allocate(memfd, file_bytes, bytes));
    return std::string();
  }
  // Nothing is read through it: it costs no memory.
  const HugeWindow whole(memfd, 0, static_cast<size_t>(file_bytes));
  const bool set = whole && policy.Set(whole.data(), whole.bytes(),
                                       ModeFor(file_bytes, place.node, policy), place.node) == 0;
  {
    const StayOn near(set ? std::vector<int>{} : place.cpus);
    TakeHugePages(memfd, file_bytes);
    CONSORT_TRY(Allocate(memfd, file_bytes, bytes));
  }
  if (set) policy.Set(whole.data(), whole.bytes(), MemoryPolicy::Mode::kPrefer, place.node);
  return Verify(memfd, file_bytes, place.node, policy);
}

bool GivesHugePages() {
  const UniqueFd memfd(::memfd_create("consort-try", MFD_CLOEXEC));
  if (!memfd || ::ftruncate(memfd.get(), kHugePageBytes) != 0) return false;
  const HugeWindow window(memfd.get(), 0, static_cast<size_t>(kHugePageBytes));
  return window && madvise(window.data(), kPageBytes, MADV_POPULATE_READ) == 0 &&
         madvise(window.data(), window.bytes(), MADV_COLLAPSE) == 0;
}

}  // namespace consort
