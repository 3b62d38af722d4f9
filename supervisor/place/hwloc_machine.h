// From hwloc's topology to ours; apart, so that tests can give synthetic ones.
#pragma once

#include <hwloc.h>

#include <optional>

#include "shared/base/result.h"
#include "supervisor/place/machine.h"

namespace consort {

// `topology` is loaded. `mask` null: every CPU the topology allows. `quota` in CPUs.
Result<Machine> MachineFrom(hwloc_topology_t topology, hwloc_const_cpuset_t mask,
                            std::optional<double> quota);

}  // namespace consort
