// consort-worker: the worker program with LibTorch.
#include "worker/main/worker_main.h"
#include "worker/null/null_pipeline.h"
#include "worker/real/real_pipeline.h"

namespace {

using consort::Bundle;
using consort::PipelineFactory;
using consort::Result;
using consort::WorkerOptions;

Result<std::unique_ptr<PipelineFactory>> MakePipelineFactory(const Bundle& bundle,
                                                             const WorkerOptions& options) {
  if (options.null) {
    return std::unique_ptr<PipelineFactory>(std::make_unique<consort::NullPipelineFactory>(bundle));
  }
  CONSORT_TRY(auto factory, consort::RealPipelineFactory::Load(bundle, options.arena_fd,
                                                               options.intra, options.engines));
  return std::unique_ptr<PipelineFactory>(std::move(factory));
}

}  // namespace

int main(int argc, char** argv) { return consort::WorkerMain(argc, argv, MakePipelineFactory); }
