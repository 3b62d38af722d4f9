#include "supervisor/fleet/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace consort {

size_t RaiseDescriptorLimit(size_t needed) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t was = limit.rlim_cur;
  if (was < needed) SetDescriptorLimit(std::min<rlim_t>(needed, limit.rlim_max));
  return was;
}

void SetDescriptorLimit(size_t wanted) {
  rlimit limit{};
  if (wanted == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace consort
