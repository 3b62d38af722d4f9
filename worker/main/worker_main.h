// The command line of consort-worker, the same for the program with LibTorch and the one without.
// Nobody types it but the supervisor; --help says so.
#pragma once

#include <memory>

#include "shared/bundle/bundle.h"
#include "worker/engine/pipeline.h"

namespace consort {

struct WorkerOptions {
  std::string bundle;
  std::string bundle_sha256;  // empty: any
  int control_fd = -1;
  int arena_fd = -1;
  int check_rate = 0;  // --check; 0: not given
  int tags_fd = -1;    // what of the scores becomes tags; -1: as the bundle says
  int supervisor = 0;  // pid
  int intra = 1;
  int engines = 1;  // of each worker that will be forked
  bool null = false;
  bool become = false;
};

using MakeFactory = Result<std::unique_ptr<PipelineFactory>> (*)(const Bundle&,
                                                                 const WorkerOptions&);

int WorkerMain(int argc, char** argv, MakeFactory make_factory);

}  // namespace consort
