// From hwloc's topology to ours; apart, so that tests can give synthetic ones.
#pragma once

#include <hwloc.h>

#include <optional>
#include <string>

#include "shared/base/result.h"
#include "supervisor/place/machine.h"

namespace consort {

// What hwloc does not tell.
struct MachineLimits {
  std::optional<CpuQuota> quota;
  std::optional<MemoryLimit> memory;
  int64_t memory_bytes = 0;  // 0: not known
  std::string root = {};     // as in cgroup.h: for nodes that hwloc leaves out
};

// `topology` is loaded. `mask` null: every CPU the topology allows.
Result<Machine> MachineFrom(hwloc_topology_t topology, hwloc_const_cpuset_t mask,
                            const MachineLimits& limits);

}  // namespace consort
