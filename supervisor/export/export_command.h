// `consort export`: from a job and what is wanted to a file.
#pragma once

#include "supervisor/cli/options.h"

namespace consort {

// Returns the exit status. Everything a person is told goes to standard error.
int RunExport(const ExportOptions& options);

}  // namespace consort
