// `consort check`: opens every file of a list in worker processes, and tells what they are.
//
// It is a job like any other (supervisor/job/), with isolated workers, replaced when a file ends
// one; but the worker has no model, a file is one segment, and nothing is kept for a next time.
#pragma once

#include "supervisor/cli/options.h"

namespace consort {

// The exit status. The report goes to standard output, all else to standard error.
int RunCheck(const CheckOptions& options);

}  // namespace consort
