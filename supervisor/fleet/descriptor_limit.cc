#include "supervisor/fleet/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace consort {
namespace {

// The recording in hand, as many as may be read ahead at a time (worker/ahead/ahead_item.h), and as
// much again.
constexpr size_t kAnEngine = 16;
// What the worker has from its start, and what its model keeps open.
constexpr size_t kAWorker = 64;

}  // namespace

size_t RaiseDescriptorLimit(size_t needed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t was = limit.rlim_cur;
  if (was < needed) SetDescriptorLimit(needed);
  return was;
}

void SetDescriptorLimit(size_t wanted) {
  rlimit limit{};
  if (wanted == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
}

size_t WorkerDescriptors(size_t usual, int engines) {
  if (usual == 0) return 0;
  return std::max(usual, kAnEngine * static_cast<size_t>(engines) + kAWorker);
}

}  // namespace consort
