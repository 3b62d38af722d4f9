// consort-worker-check: `consort-worker --check` without LibTorch in the program, so that it starts
// in a millisecond; and without the fault points of the test builds. Taken for `consort check`.
#include "worker/main/worker_main.h"

namespace {

consort::Result<std::unique_ptr<consort::PipelineFactory>> MakePipelineFactory(
    const consort::Bundle&, const consort::WorkerOptions&) {
  return consort::Error{"consort-worker-check runs no model", "it is for \"consort check\" alone"};
}

}  // namespace

int main(int argc, char** argv) { return consort::WorkerMain(argc, argv, MakePipelineFactory); }
