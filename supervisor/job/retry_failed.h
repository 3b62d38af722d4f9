// The failed files of a finished job, once more; their new lines in the places of the old ones.
#pragma once

#include "supervisor/figures/run_figures.h"
#include "supervisor/gather/scratch_file.h"
#include "supervisor/job/job_files.h"
#include "supervisor/job/plan_fleet.h"
#include "supervisor/view/status_line.h"

namespace consort {

// `figures`: null, nobody wants any. The exit status. Whatever stops it before the end, the results
// are as they were.
Result<int> RetryFailed(const RunOptions& options, const Bundle& bundle, FileList& list,
                        JobFiles& files, JobFleet fleet, ScratchFile scratch, Progress& progress,
                        RunFigures* figures);

}  // namespace consort
