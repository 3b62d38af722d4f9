// When an engine hangs: how long it may stand still, by the supervisor's own clock.
//
// What an engine says of itself (shared/channel/engine_state.h) is only compared with what it said
// at the last look: a change is life, its times are not believed. The clock here goes on by at most
// a second a look, so that a supervisor that was stopped, or a machine that slept, kills nobody.
//
// An engine that has work hangs
// - when it has been in one stage, at one segment, for longer than LimitNs: `timeout`, or sooner
//   kFactor times what that stage has taken on average, at least kFloorNs, where the work is of
//   known size. Not so for validate and read, which wait for storage and may have a whole recording
//   to go through; they also count steps, each of which is life. The forward of a batch has the
//   `timeout` of each of its places.
// - when it has published nothing for `timeout` (of a batch: times its size), whatever stages it
//   says it is in; while it counts steps, for kMostSteps times that.
// One that waits for room for its results does not hang, as long as there are results to look at.
//
// Where a model has state, an engine may have to go through earlier segments of its file again, and
// publishes nothing meanwhile. Each of those that it comes to is life, as a result would be; there
// are no more of them than lie before the segment that is due.
//
// A segment that is tried alone gets the whole `timeout`: what has been learnt only decides how
// soon others are freed of it, never what the results say.
//
// Pure bookkeeping: no process, no clock, no descriptor. Costs the same whatever the list's length.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "shared/channel/stage.h"

namespace consort {

// What there is to see of an engine.
struct EngineSight {
  uint64_t stage = 0;  // from here on untrusted
  int64_t since_ns = 0;
  uint64_t file = 0;
  uint64_t segment = 0;
  uint64_t steps = 0;
  // From here on ours. Segments of that file that it may have to go through again.
  uint64_t earlier = 0;
  bool has_work = false;  // it holds a task
  bool unread = false;    // its result ring holds something

  bool operator==(const EngineSight&) const = default;
};

class Deadlines {
 public:
  static constexpr int64_t kFloorNs = 10'000'000'000;
  static constexpr int64_t kFactor = 20;
  static constexpr int64_t kMostSteps = 30;
  static constexpr uint64_t kEnoughSegments = 100;  // to know what is usual
  static constexpr int64_t kLongestLookNs = 1'000'000'000;

  // `timeout_ns` 0: nothing ever hangs. `batch`: segments done in one forward.
  explicit Deadlines(int64_t timeout_ns, int64_t batch = 1)
      : timeout_ns_(timeout_ns), batch_(batch) {}

  // What stages have taken in all, for so many segments.
  void Learn(const std::array<int64_t, kStageCount>& stage_ns, uint64_t segments);

  void AddWorker(uint64_t worker, uint32_t engines);
  void RemoveWorker(uint64_t worker) { workers_.erase(worker); }

  // Before a round of See: time goes on. `now_ns` is of any steady clock.
  void Look(int64_t now_ns);
  // It published something.
  void Heard(uint64_t worker, uint32_t engine);
  // What it looks like now. 0: it does not hang; else for how long it has hung, in nanoseconds.
  // `alone`: it has a segment on trial.
  int64_t See(uint64_t worker, uint32_t engine, const EngineSight& sight, bool alone);

  // How long it has been in its stage, at its segment, as of the last See; 0 without work.
  int64_t StoodNs(uint64_t worker, uint32_t engine) const;

  // For one stay in this stage. A stage that does not exist has `timeout`, too.
  int64_t LimitNs(uint64_t stage, bool alone) const;

 private:
  struct Age {
    EngineSight seen;
    bool heard = false;
    uint64_t again = 0;    // earlier segments that it came to since it last published
    int64_t state_ns = 0;  // our clock when the state last changed
    int64_t step_ns = 0;   // when it last published, or counted a step
    int64_t said_ns = 0;   // when it last published
  };

  int64_t timeout_ns_;
  int64_t batch_;
  int64_t last_look_ns_ = 0;
  int64_t clock_ns_ = 0;                         // runs only while we look
  std::array<int64_t, kStageCount> usual_ns_{};  // 0: not known
  std::unordered_map<uint64_t, std::vector<Age>> workers_;
};

}  // namespace consort
