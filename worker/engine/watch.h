// The life of a worker after the fork: start the engines' threads, then watch.
//
// The main thread does nothing but wait for the supervisor's death, and for its requests to see an
// engine's stack; the engines end only by an error. The parent-death signal is the first line, this
// is the second.
#pragma once

#include "shared/base/unique_fd.h"
#include "shared/channel/channel.h"
#include "worker/engine/pipeline.h"

namespace consort {

struct WorkerLife {
  Channel* channel = nullptr;
  int wake_fd = -1;  // eventfd on which the supervisor sleeps
  int supervisor_pidfd = -1;
  int intra = 1;  // engines are pinned only when this is 1
  PipelineFactory* factory = nullptr;
};

// Never returns. Exit status 1 and a line on standard error when an engine fails.
[[noreturn]] void LiveAsWorker(const WorkerLife& life);

}  // namespace consort
