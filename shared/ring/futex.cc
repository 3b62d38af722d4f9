#include "shared/ring/futex.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace consort {

FutexWaitResult FutexWait(const std::atomic<uint32_t>* word, uint32_t expected,
                          int64_t timeout_ms) {
  timeout_ms = std::max<int64_t>(timeout_ms, 0);
  timespec timeout{};
  timeout.tv_sec = static_cast<time_t>(timeout_ms / 1000);
  timeout.tv_nsec = static_cast<long>(timeout_ms % 1000 * 1'000'000);
  if (syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0) {
    return FutexWaitResult::kWoken;
  }
  switch (errno) {
    case EAGAIN:
      return FutexWaitResult::kChanged;
    case ETIMEDOUT:
      return FutexWaitResult::kTimedOut;
    default:
      return FutexWaitResult::kWoken;  // EINTR
  }
}

int FutexWake(std::atomic<uint32_t>* word) {
  const long woken = syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  return woken < 0 ? 0 : static_cast<int>(woken);
}

}  // namespace consort
