// The null pipeline: the whole way of the data but for the model. It opens files and counts their
// segments as the real one does, and makes up tags from the file's name, the segment's number and
// its channel, where channels are heard one by one.
// The same protocol, no LibTorch, tens of thousands of segments a second: tests and benchmarks of
// everything around the model stand on it.
//
// On command it misbehaves. A file whose name contains `~WORD@K~` does so at segment K (at the
// opening of the file for K = `open`):
//   segv abort bus fpe kill exit   the worker ends that way
//   spin stop                      the engine loops for ever; the process stops itself
//   hog                            the engine takes memory without end, some 2 GiB a second
//   lie                            the result has a label that the bundle does not have
//   scribble                       the engine writes random bytes all over its result ring
//   print                          a line goes to standard output
//   say                            10,000 lines go to standard error
//   cry                            a line goes to standard error, then as segv
//   throw                          the engine reports a fault of the model
// `~leakN~` (anywhere in the name) has each segment of the file leave N MiB behind for the worker's
// life, `~sleepN~` makes each of them take N milliseconds, and the environment variable
// CONSORT_NULL_SEGMENT_US does so for all files, in microseconds. With CONSORT_NULL_READ=1 each
// segment's sound is read and resampled as well, and its samples decide the tags. Where faults are
// asked for (worker/fault/) it enters every stage that the real pipeline has.
#pragma once

#include "shared/bundle/bundle.h"
#include "shared/channel/channel.h"
#include "worker/engine/pipeline.h"

namespace consort {

class NullPipelineFactory : public PipelineFactory {
 public:
  // The bundle must outlive the factory and its pipelines.
  explicit NullPipelineFactory(const Bundle& bundle) : bundle_(bundle) {}
  Result<std::unique_ptr<Pipeline>> Make(StageClock& clock) override;

 private:
  const Bundle& bundle_;
};

}  // namespace consort
