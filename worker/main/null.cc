// consort-worker-null: `consort-worker --null` without LibTorch in the program, so that it starts
// in a millisecond and runs under the sanitizers. Taken for bundles of the backend "null".
#include "worker/main/worker_main.h"
#include "worker/null/null_pipeline.h"

namespace {

consort::Result<std::unique_ptr<consort::PipelineFactory>> MakePipelineFactory(
    const consort::Bundle& bundle, const consort::WorkerOptions&) {
  return std::unique_ptr<consort::PipelineFactory>(
      std::make_unique<consort::NullPipelineFactory>(bundle));
}

}  // namespace

int main(int argc, char** argv) { return consort::WorkerMain(argc, argv, MakePipelineFactory); }
