// One cache line an engine keeps up to date for the supervisor to look at: what it is doing.
//
//   0        8        16       24       32            40     48      56             64
//   | stage  | since  | file   | segment| segments_done | task | steps | lost_wakeups |
//
// Every field is written by the engine alone and read by the supervisor at any time; each is
// valid by itself, together they are a hint, not a transaction. Untrusted: they choose whom to
// suspect, never what is written.
#pragma once

#include <atomic>
#include <cstdint>

#include "shared/channel/stage.h"

namespace consort {

struct alignas(64) EngineState {
  std::atomic<uint64_t> stage;    // Stage
  std::atomic<int64_t> since_ns;  // CLOCK_MONOTONIC, when the stage was entered
  std::atomic<uint64_t> file;
  std::atomic<uint64_t> segment;
  std::atomic<uint64_t> segments_done;  // since the worker's start
  std::atomic<uint64_t> task;           // id of the task in hand, 0 for none
  // Counts up while the reader works through a file that may be long: a sign of life, no more.
  std::atomic<uint64_t> steps;
  std::atomic<uint64_t> lost_wakeups;  // sleeps that ended by their time with something to do
};

static_assert(sizeof(EngineState) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace consort
