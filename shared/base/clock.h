// Monotonic time in nanoseconds; the same clock in every process of a job.
#pragma once

#include <time.h>

#include <cstdint>

namespace consort {

inline int64_t MonotonicNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace consort
