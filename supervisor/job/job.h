// One job, from a list of files to results.jsonl: the supervisor's loop.
//
// The supervisor is one thread (and one that samples memory now and then). It plans, hands out,
// collects, orders, writes and replaces what dies. It must never
//   - open an audio file, or anything a model or a file could make hang or fail;
//   - wait for a worker: all it does about one is non-blocking;
//   - believe a number from a worker's channel, or take a lock there.
// That is why it survives whatever a file or a model does to a worker.
#pragma once

#include "supervisor/cli/options.h"

namespace consort {

// Returns the exit status. Everything a person is told goes to standard error.
int RunJob(const RunOptions& options);

}  // namespace consort
