// What a job with this bundle takes, estimated before it runs.
#pragma once

#include "shared/bundle/bundle.h"
#include "supervisor/place/placement.h"

namespace consort {

// On the large side: a worker too many is ended by the kernel, one too few costs its share of the
// speed. Where the figures come from stands in docs/placement.md.
MemoryNeed EstimateMemory(const Bundle& bundle);

// Without a bundle: of a small model.
MemoryNeed EstimateMemory();

}  // namespace consort
