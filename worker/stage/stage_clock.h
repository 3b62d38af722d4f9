// Which stage an engine is in, and how long it spent in each. One engine thread uses it.
// Each stage entered is a fault point (fault_point.h).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shared/base/clock.h"
#include "shared/channel/engine_state.h"
#include "shared/channel/stage.h"
#include "worker/stage/fault_point.h"

namespace consort {

class StageClock {
 public:
  // `state` may be null (tests, benchmarks); otherwise it must outlive the clock.
  explicit StageClock(EngineState* state = nullptr) : state_(state), since_ns_(MonotonicNs()) {}

  // Ends the present stage and begins another.
  void Enter(Stage stage) {
    const int64_t now = MonotonicNs();
    spent_ns_[static_cast<size_t>(stage_)] += now - since_ns_;
    since_ns_ = now;
    stage_ = stage;
    if (state_ != nullptr) {
      state_->since_ns.store(now, std::memory_order_relaxed);
      state_->stage.store(static_cast<uint64_t>(stage), std::memory_order_relaxed);
    }
    if (&AtFaultPoint != nullptr) {
      place_.stage = stage;
      AtFaultPoint(place_);
    }
  }

  // The file in hand, for fault points: the path must outlive the work on it. Empty: none.
  void AtFile(std::string_view path) { place_.path = path; }

  // Segments first <= … < end are being worked on, of which AtSegment tells the supervisor one.
  void AtSegments(int64_t first, int64_t end) {
    place_.first = first;
    place_.end = end;
  }

  void AtSegment(uint64_t file, uint64_t segment) {
    AtSegments(static_cast<int64_t>(segment), static_cast<int64_t>(segment) + 1);
    if (state_ == nullptr) return;
    state_->file.store(file, std::memory_order_relaxed);
    state_->segment.store(segment, std::memory_order_relaxed);
  }

  // The same of another segment of that file.
  void AtSegment(int64_t segment) {
    AtSegments(segment, segment + 1);
    if (state_ == nullptr) return;
    state_->segment.store(static_cast<uint64_t>(segment), std::memory_order_relaxed);
  }

  // Tells that what may take long gets on.
  void Step() {
    if (state_ != nullptr) {
      state_->steps.store(state_->steps.load(std::memory_order_relaxed) + 1,
                          std::memory_order_relaxed);
    }
  }

  // What it was made with.
  EngineState* state() const { return state_; }

  // In stays that have ended, since the last TakeSpent.
  int64_t spent_ns(Stage stage) const { return spent_ns_[static_cast<size_t>(stage)]; }

  // Nanoseconds in each stage since the last call.
  std::array<int64_t, kStageCount> TakeSpent() {
    Enter(stage_);
    auto spent = spent_ns_;
    spent_ns_.fill(0);
    return spent;
  }

 private:
  EngineState* state_;
  Stage stage_ = Stage::kWaiting;
  int64_t since_ns_;
  FaultPlace place_;
  std::array<int64_t, kStageCount> spent_ns_{};
};

}  // namespace consort
