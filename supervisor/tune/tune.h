// `consort tune`: which split of processes and threads is best for this machine, this model, these
// files. docs/tuning.md tells what it does and promises.
//
//   candidates.h        which splits are worth a trial, and guesses about them
//   objective.h         what "best" means
//   surface.h           what is believed of every split after some measurements
//   search.h            which to try next, when to stop, what to choose; no clock, no process
//   sample.h            the files that trials work on
//   measured_run.h      one trial: a `consort run` of its own
//   temporary_folder.h  where they work, and what dead runs left there
//   report.h            what was found, in words
// and ../profile/       where it is kept, for `consort run`
#pragma once

#include "supervisor/cli/options.h"

namespace consort {

// Tells what it found on standard output. Returns the exit status.
int RunTune(const TuneOptions& options);

}  // namespace consort
