// From options and machine to the processes of the job.
#pragma once

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/fleet/fleet.h"
#include "supervisor/place/machine.h"

namespace consort {

struct JobFleet {
  Split split;
  FleetPlan plan;
  std::string warning;  // for the person; empty: none
};

// `arena_fd` -1: the bundle has no weights.
Result<JobFleet> PlanFleet(const RunOptions& options, const Bundle& bundle, const Machine& machine,
                           int arena_fd);

}  // namespace consort
