// From hwloc's topology to ours; apart, so that tests can give synthetic ones.
#pragma once

#include <hwloc.h>

#include <optional>

#include "shared/base/result.h"
#include "supervisor/place/machine.h"

namespace consort {

// What hwloc does not tell.
struct MachineLimits {
  std::optional<CpuQuota> quota;
  std::optional<MemoryLimit> memory;
  int64_t memory_bytes = 0;  // 0: not known
};

// `topology` is loaded. `mask` null: every CPU the topology allows.
Result<Machine> MachineFrom(hwloc_topology_t topology, hwloc_const_cpuset_t mask,
                            const MachineLimits& limits);

}  // namespace consort
