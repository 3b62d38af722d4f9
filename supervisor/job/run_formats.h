// `consort run --format`: once a job is done, its results in other formats beside them.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "supervisor/cli/options.h"
#include "supervisor/view/status_line.h"

namespace consort {

// Before a job works: whether the files can be made, and replace nothing that is not the job's own.
Status CheckFormats(const RunOptions& options, const std::string& job_folder);

// Of results that are complete. `worked`: this run changed them; if not, only what is missing, or
// was made of older results, is made. Returns `status`, or 128 + n after signal n.
Result<int> ExportFormats(const RunOptions& options, const std::string& job_folder, bool worked,
                          int status, Progress& progress);

}  // namespace consort
