// One engine: a thread that takes tasks from its ring, runs the pipeline, publishes results.
//
// It owns nothing that outlives it. A result is published segment by segment: what has been
// published counts even if the worker dies in the next instruction.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/unique_fd.h"
#include "shared/channel/channel.h"
#include "shared/record/task.h"
#include "worker/engine/pipeline.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class Engine {
 public:
  // `wake_fd`: the eventfd on which the supervisor sleeps. Everything given must outlive Run.
  Engine(Channel& channel, uint32_t index, int wake_fd);

  StageClock& clock() { return clock_; }

  // Takes tasks for ever. Ends (only) by an error: a damaged ring, a damaged task.
  Status Run(Pipeline& pipeline);

 private:
  Result<Task> NextTask();
  Status RunTask(const Task& task, Pipeline& pipeline);
  // Stops between two segments when the task's time is over.
  Status RunItem(const TaskItem& item, Pipeline& pipeline, int64_t deadline_ns);
  Status PublishFault(FileFault fault, uint64_t file, uint64_t segment);
  template <typename Record>
  Status Publish(const Record& record);
  void CountIfLost(const std::atomic<uint32_t>& asleep);

  EngineState& state_;
  SharedRing* task_ring_;
  SharedRing* result_ring_;
  Consumer tasks_;
  Producer results_;
  int wake_fd_;
  StageClock clock_;
  std::vector<uint8_t> record_;
};

}  // namespace consort
