// `consort doctor`: this machine, how a job would use it, and what to change. Changes nothing.
//
//   survey.h   what is there, read once
//   checks.h   one function a finding, one table of them
//   report.h   findings in words, or as JSON
#pragma once

#include "supervisor/cli/options.h"

namespace consort {

// Tells on standard output. Returns the exit status: kDone, kSomeFailed if something costs speed.
int RunDoctor(const DoctorOptions& options);

}  // namespace consort
