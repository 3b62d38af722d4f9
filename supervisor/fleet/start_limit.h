// When to stop starting: after 5 starts in a row of which none became ready. Until then each next
// start waits longer, at most a second; the first ready worker ends the waiting.
//
// A start ended by SIGKILL from outside is nobody's fault (an operator): it makes the next one
// wait, but 50 in a row are needed to stop for it. Of those that the kernel ended for memory 5
// count, and one more for each that started beside them: some of these may have had enough.
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

  void BecameReady() { failed_ = killed_ = for_memory_ = 0; }
  void EndedUnready(bool killed) { ++(killed ? killed_ : failed_); }
  void EndedForMemory() { ++for_memory_; }

  // `at_once`: how many start side by side.
  bool Exhausted(int at_once = 1) const {
    return failed_ >= kMaxFailed || killed_ >= kMaxKilled ||
           for_memory_ >= kMaxFailed - 1 + at_once;
  }
  int64_t PauseNs() const {
    const int misses = failed_ + killed_ + for_memory_;
    if (misses == 0) return 0;
    return std::min(kLongestPauseNs, kFirstPauseNs << std::min(misses - 1, 10));
  }

 private:
  int failed_ = 0;
  int killed_ = 0;
  int for_memory_ = 0;
};

}  // namespace consort
