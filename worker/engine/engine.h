// One engine: a thread that takes tasks from its ring, runs the pipeline, publishes results.
//
// It owns nothing that outlives it. A result is published segment by segment: what has been
// published counts even if the worker dies in the next instruction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shared/base/unique_fd.h"
#include "shared/channel/channel.h"
#include "shared/record/task.h"
#include "worker/ahead/read_ahead.h"
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
  // The next task if it is there already.
  Status TryNextTask(std::optional<Task>& task);
  // Has what comes after segment `k` of the task's item read from storage meanwhile.
  Status LookAhead(const Task& task, size_t item, uint64_t k);
  Status RunTask(const Task& task, Pipeline& pipeline);
  // Stops between two segments when the task's time is over. That begins anew by as much as it took
  // to get to the item's first segment: else a task would be that one segment, however long that
  // is.
  Status RunItem(const Task& task, size_t index, Pipeline& pipeline, int64_t& deadline_ns);
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
  std::vector<uint8_t> task_bytes_;
  std::optional<Task> next_task_;  // taken from the ring to look ahead
  double segment_bytes_ = 0;       // of the file that was opened last
  ReadAhead ahead_;
};

}  // namespace consort
