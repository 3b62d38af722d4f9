// How a command that works on a list shows how far it is.
#pragma once

#include "supervisor/cli/options.h"
#include "supervisor/view/status_line.h"

namespace consort {

ProgressStyle StyleOf(bool quiet, RunOptions::Progress progress, bool results_to_standard_output);

}  // namespace consort
