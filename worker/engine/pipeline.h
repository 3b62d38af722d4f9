// What an engine does with files: open one, then give the results of its segments. Two ways exist:
// the real one (decode, features, model) and the null one (no LibTorch, made-up results).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "shared/base/result.h"
#include "shared/record/result.h"

namespace consort {

// Why an item of a task ends without further segments. `fault.segment` is left to the engine.
using PipelineFault = std::optional<FileFault>;

class Pipeline {  // one per engine, used by its thread alone
 public:
  virtual ~Pipeline() = default;

  // Opens and validates; `info` is complete but for `file`. An error, unlike a fault, is not the
  // file's, and ends the worker.
  virtual Result<PipelineFault> Open(const std::string& path, FileInfo& info) = 0;
  // Segments of the open file.
  virtual int64_t SegmentCount() const = 0;
  // Gets to where segment k of the open file can be given: through what lies before it, if the
  // model has to have heard that. It may take as long as it takes, but for that nothing of it is in
  // the task's time. A fault is one of segment k.
  virtual PipelineFault GoTo(int64_t /*k*/) { return std::nullopt; }
  // The result of segment k of the open file: tags or runs, always the same of the two; what
  // `result` was before does not matter. GoTo was called for the first of them. All of k <= … < end
  // <= SegmentCount() are asked for, in this order: some may be done in advance. A fault in one of
  // those is told when it is asked for.
  virtual PipelineFault Run(int64_t k, int64_t end, SegmentResult& result) = 0;
  // What is done in advance ends before the next multiple of this.
  virtual int64_t batch() const { return 1; }
  // What is read of the open file is read for so many segments at once, up to the next multiple.
  virtual int64_t place() const { return 1; }
  // All of a file is read, so that it helps to have it read ahead.
  virtual bool reads_all() const { return true; }
  virtual void Close() = 0;
};

class StageClock;

// Makes the pipeline of one engine in that engine's thread, after the fork. May fail with an error
// that ends the worker.
class PipelineFactory {
 public:
  virtual ~PipelineFactory() = default;
  virtual Result<std::unique_ptr<Pipeline>> Make(StageClock& clock) = 0;
};

}  // namespace consort
