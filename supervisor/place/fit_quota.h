// Which CPUs a job uses when a CPU quota is worth fewer than it may run on.
//
// A quota (of a container, say) bounds CPU time, not the choice of CPUs. As many engines as it is
// worth, rounded up, use it to the full. They stay on one NUMA node where they fit, so that there
// is one copy of the weights and all memory is near; each has a core of its own, since siblings
// would share the speed of one core and be charged for two. Every container of a machine would
// choose the same first cores, so those that are busy at the moment come last.
#pragma once

#include <map>

#include "supervisor/place/machine.h"

namespace consort {

// `machine` with only the nodes that are to be used, and their CPUs in the order to be used;
// unchanged if no quota binds. `busy`: shares of each CPU's time, may be empty.
Machine FitToQuota(Machine machine, const std::map<int, double>& busy);

}  // namespace consort
