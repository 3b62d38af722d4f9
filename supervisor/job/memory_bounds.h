// What bounds a job's memory: --memory-limit, or else the control group's limit.
#pragma once

#include "supervisor/cli/options.h"
#include "supervisor/memory/tree_memory.h"
#include "supervisor/place/machine.h"

namespace consort {

// The machine with no more memory than --memory-limit, as the placement is to see it.
Machine BoundMemory(Machine machine, const RunOptions& options);

// What the running tree is held to. Of a control group's limit some is left free: the kernel counts
// more there than what processes map, and ends somebody when it is reached.
TreeLimit BoundOfTree(const Machine& machine, const RunOptions& options);

}  // namespace consort
