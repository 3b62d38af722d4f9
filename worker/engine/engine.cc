#include "worker/engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "shared/base/clock.h"
#include "shared/ring/futex.h"

namespace consort {
namespace {

// A sleeping engine looks again this often even if nobody wakes it: the net under the sleep flags.
constexpr int kSleepMs = 100;
// So long after its record a waker may take to look at our flag.
constexpr int kWakerMs = 20;
// Time slices that a task may go on for beyond its own, until all that was read is used.
constexpr int64_t kMostOver = 3;

}  // namespace

Engine::Engine(Channel& channel, uint32_t index, int wake_fd)
    : state_(channel.state(index)),
      task_ring_(channel.task_ring(index)),
      result_ring_(channel.result_ring(index)),
      tasks_(task_ring_, channel.task_cells(index), kTaskRingWords),
      results_(result_ring_, channel.result_cells(index), kResultRingWords),
      wake_fd_(wake_fd),
      clock_(&state_) {
  record_.resize(kMaxTaskBytes);
  task_bytes_.resize(kMaxTaskBytes);
}

Status Engine::Run(Pipeline& pipeline) {
  for (;;) {
    CONSORT_TRY(const auto task, NextTask());
    CONSORT_TRY(RunTask(task, pipeline));
  }
}

Result<Task> Engine::NextTask() {
  for (;;) {
    std::optional<Task> task = std::exchange(next_task_, std::nullopt);
    if (!task) CONSORT_TRY(TryNextTask(task));
    if (task) return *std::move(task);
    if (tasks_.PrepareToSleep()) {
      const auto& asleep = task_ring_->consumer_asleep;
      if (FutexWait(&asleep, 1, kSleepMs) == FutexWaitResult::kTimedOut && !tasks_.Empty()) {
        CountIfLost(asleep);
      }
      tasks_.CancelSleep();
    }
  }
}

Status Engine::TryNextTask(std::optional<Task>& task) {
  uint32_t type = 0;
  uint32_t bytes = 0;
  switch (
      tasks_.TryPop(task_bytes_.data(), static_cast<uint32_t>(task_bytes_.size()), &type, &bytes)) {
    case Consumer::Pop::kPopped: {
      if (type != kTaskRecord) return Error{"unknown record in the task ring"};
      CONSORT_TRY(task, DecodeTask(task_bytes_.data(), bytes));
      return Ok();
    }
    case Consumer::Pop::kEmpty:
      return Ok();
    case Consumer::Pop::kCorrupt:
      break;
  }
  return Error{"the task ring is damaged"};
}

Status Engine::LookAhead(const Task& task, size_t item, uint64_t k) {
  if (!ahead_.wanted()) return Ok();
  if (!next_task_) CONSORT_TRY(TryNextTask(next_task_));
  std::vector<TaskItem> later;
  const auto add = [&later](const Task& from, size_t at) {
    for (; at < from.items.size() && later.size() < kMostAheadItems; ++at) {
      later.push_back(from.items[at]);
    }
  };
  add(task, item + 1);
  if (next_task_) add(*next_task_, 0);
  ahead_.Want(PlanAhead(task.items[item], k, segment_bytes_, later), segment_bytes_);
  return Ok();
}

Status Engine::RunTask(const Task& task, Pipeline& pipeline) {
  state_.task.store(task.id, std::memory_order_relaxed);
  int64_t deadline_ns = MonotonicNs() + task.time_slice_ns;
  for (size_t i = 0; i < task.items.size(); ++i) {
    if (i > 0 && MonotonicNs() > deadline_ns) break;
    CONSORT_TRY(RunItem(task, i, pipeline, deadline_ns));
    clock_.AtFile({});
  }
  clock_.Enter(Stage::kPost);
  CONSORT_TRY(Publish(TaskDone{task.id, clock_.TakeSpent()}));
  state_.task.store(0, std::memory_order_relaxed);
  clock_.Enter(Stage::kWaiting);
  return Ok();
}

Status Engine::RunItem(const Task& task, size_t index, Pipeline& pipeline, int64_t& deadline_ns) {
  const TaskItem& item = task.items[index];
  clock_.AtFile(item.path);
  clock_.AtSegment(item.file, item.first_segment);
  clock_.Enter(Stage::kValidate);
  FileInfo info;
  const int64_t opening_ns = MonotonicNs();
  CONSORT_TRY(auto refused, pipeline.Open(item.path, info));
  if (refused) {
    return PublishFault(std::move(*refused), item.file, item.first_segment);
  }
  ahead_.Took(MonotonicNs() - opening_ns);
  info.file = item.file;
  CONSORT_TRY(Publish(info));
  const auto count = static_cast<uint64_t>(pipeline.SegmentCount());
  const uint64_t end = std::min(count, item.first_segment + item.segment_count);
  const auto batch = static_cast<uint64_t>(pipeline.batch());
  const auto place = static_cast<uint64_t>(pipeline.place());
  segment_bytes_ =
      static_cast<double>(info.size_bytes) / static_cast<double>(std::max<uint64_t>(1, count));
  const uint64_t piece = PieceSegments(segment_bytes_);
  if (item.first_segment < end) {
    const int64_t leaving_ns = MonotonicNs();
    auto fault = pipeline.GoTo(static_cast<int64_t>(item.first_segment));
    deadline_ns += MonotonicNs() - leaving_ns;
    if (fault) {
      pipeline.Close();
      clock_.Enter(Stage::kPost);
      return PublishFault(std::move(*fault), item.file, item.first_segment);
    }
  }
  SegmentResult result;
  int64_t began_ns = 0;  // with this segment, or with the first of its batch
  for (uint64_t k = item.first_segment; k < end; ++k) {
    // At least one segment a task, so that a slow model gets on; and what was done in advance
    // counts. What was read for several is used for all of them, unless that takes far too long.
    if (k > item.first_segment && k % batch == 0) {
      const int64_t over_ns = MonotonicNs() - deadline_ns;
      if (over_ns > (k % place == 0 ? 0 : kMostOver * task.time_slice_ns)) break;
    }
    clock_.AtSegment(item.file, k);
    if (k == item.first_segment || k % batch == 0) began_ns = MonotonicNs();
    if (pipeline.reads_all() && (k - item.first_segment) % piece == 0) {
      CONSORT_TRY(LookAhead(task, index, k));
    }
    const int64_t read_ns = clock_.spent_ns(Stage::kRead);
    auto fault = pipeline.Run(static_cast<int64_t>(k), static_cast<int64_t>(end), result);
    clock_.Enter(Stage::kPost);
    ahead_.Took(clock_.spent_ns(Stage::kRead) - read_ns);
    if (fault) {
      CONSORT_TRY(PublishFault(std::move(*fault), item.file, k));
      break;
    }
    CONSORT_TRY(std::visit(
        [&](auto& of_segment) {
          of_segment.file = item.file;
          of_segment.segment = k;
          of_segment.published_ns = MonotonicNs();
          of_segment.taken_ns = of_segment.published_ns - began_ns;
          return Publish(of_segment);
        },
        result));
    state_.segments_done.store(state_.segments_done.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
  }
  pipeline.Close();
  return Ok();
}

Status Engine::PublishFault(FileFault fault, uint64_t file, uint64_t segment) {
  fault.file = file;
  fault.segment = segment;
  return Publish(fault);
}

template <typename Record>
Status Engine::Publish(const Record& record) {
  const uint32_t type = Encode(record, record_);
  const auto bytes = static_cast<uint32_t>(record_.size());
  for (;;) {
    switch (results_.TryPush(type, record_.data(), bytes)) {
      case Producer::Push::kPushed: {
        if (results_.ConsumerNeedsWake()) {
          const uint64_t one = 1;
          // Fails only when the counter is full: then the supervisor is awake anyway.
          [[maybe_unused]] const auto written = write(wake_fd_, &one, sizeof(one));
        }
        return Ok();
      }
      case Producer::Push::kFull:
        clock_.Enter(Stage::kWaiting);
        if (results_.PrepareToSleep(bytes)) {
          const auto& asleep = result_ring_->producer_asleep;
          const uint64_t head = result_ring_->head.load(std::memory_order_relaxed);
          if (FutexWait(&asleep, 1, kSleepMs) == FutexWaitResult::kTimedOut &&
              result_ring_->head.load(std::memory_order_relaxed) != head) {
            CountIfLost(asleep);
          }
          results_.CancelSleep();
        }
        clock_.Enter(Stage::kPost);
        break;
      case Producer::Push::kTooLarge:
        return Error{"a result is larger than the result ring"};
      case Producer::Push::kCorrupt:
        return Error{"the result ring is damaged"};
    }
  }
}

// After a sleep that ran its time although there is something to do. Whoever did it clears our flag
// and then wakes us; it may be on its way.
void Engine::CountIfLost(const std::atomic<uint32_t>& asleep) {
  if (FutexWait(&asleep, 1, kWakerMs) != FutexWaitResult::kTimedOut) return;
  state_.lost_wakeups.store(state_.lost_wakeups.load(std::memory_order_relaxed) + 1,
                            std::memory_order_relaxed);
}

}  // namespace consort
