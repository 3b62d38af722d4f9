// From options and machine to the processes of the job.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"
#include "supervisor/adapt/worker_counts.h"
#include "supervisor/cli/options.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/memory/tree_memory.h"
#include "supervisor/place/machine.h"
#include "supervisor/place/placement.h"

namespace consort {

struct JobFleet {
  Split split;          // at the start
  WorkerCounts counts;  // what may be tried in its place; one engine each
  FleetPlan plan;       // the slots of the split, then those of more workers, closed
  TreeLimit memory;     // of all processes together
  int usable_cpus = 1;  // of the machine, by affinity and quota
};

// The worker program for a bundle of that backend: beside this one, or what CONSORT_WORKER names.
std::string WorkerProgram(Prepared::Backend backend);

// More threads than CPUs, in words; empty if not so.
std::string Oversubscribed(const Split& split, int intra, const Machine& machine);

// `arena_fds`: one for each of the placement's arenas; empty if the bundle has no weights.
// `tags_fd`: of SealTagChoice; -1: tags are as the bundle says.
Result<JobFleet> PlanFleet(const RunOptions& options, const Bundle& bundle,
                           const Placement& placement, const std::vector<int>& arena_fds,
                           int tags_fd);

}  // namespace consort
