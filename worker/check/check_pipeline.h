// The pipeline of `consort check`: opens files as the others do, and looks at their end. A file is
// one segment, whose tags are none; what ends too early is its fault.
#pragma once

#include "shared/bundle/bundle.h"
#include "worker/engine/pipeline.h"

namespace consort {

class CheckPipelineFactory : public PipelineFactory {
 public:
  // The bundle (shared/bundle/check_bundle.h) must outlive the factory and its pipelines.
  explicit CheckPipelineFactory(const Bundle& bundle) : bundle_(bundle) {}
  Result<std::unique_ptr<Pipeline>> Make(StageClock& clock) override;

 private:
  const Bundle& bundle_;
};

}  // namespace consort
