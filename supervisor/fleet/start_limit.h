// When to stop starting: after 5 starts in a row of which none became ready. Until then each next
// start waits longer, at most a second; the first ready worker ends the waiting.
//
// A start ended by SIGKILL from outside is nobody's fault (an operator, the kernel out of memory):
// it makes the next one wait, but 50 in a row are needed to stop for it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace consort {

class StartLimit {
 public:
  static constexpr int kMaxFailed = 5;
  static constexpr int kMaxKilled = 50;
  static constexpr int64_t kFirstPauseNs = 20'000'000;
  static constexpr int64_t kLongestPauseNs = 1'000'000'000;

  void BecameReady() { failed_ = killed_ = 0; }
  void EndedUnready(bool killed) { ++(killed ? killed_ : failed_); }

  bool Exhausted() const { return failed_ >= kMaxFailed || killed_ >= kMaxKilled; }
  int64_t PauseNs() const {
    const int misses = failed_ + killed_;
    if (misses == 0) return 0;
    return std::min(kLongestPauseNs, kFirstPauseNs << std::min(misses - 1, 10));
  }

 private:
  int failed_ = 0;
  int killed_ = 0;
};

}  // namespace consort
