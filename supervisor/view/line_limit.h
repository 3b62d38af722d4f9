// How many lines are shown, so that a flood of them hides nothing else: so many in a second, the
// rest are counted.
#pragma once

#include <cstdint>

namespace consort {

class LineLimit {
 public:
  static constexpr int64_t kWindowNs = 1'000'000'000;

  explicit LineLimit(uint64_t most_a_second) : most_(most_a_second) {}

  // Whether a line that came now is to be shown.
  bool Take(int64_t now_ns) {
    if (now_ns - began_ns_ >= kWindowNs && hidden_ == 0) {
      began_ns_ = now_ns;
      shown_ = 0;
    }
    if (shown_ < most_) {
      ++shown_;
      return true;
    }
    ++hidden_;
    return false;
  }

  // Lines that were not shown in a second that is over, or, with `all`, in the present one, too.
  // Each is told once.
  uint64_t TakeHidden(int64_t now_ns, bool all = false) {
    if (hidden_ == 0 || (!all && now_ns - began_ns_ < kWindowNs)) return 0;
    const uint64_t hidden = hidden_;
    hidden_ = 0;
    return hidden;
  }

 private:
  uint64_t most_;
  int64_t began_ns_ = -kWindowNs;
  uint64_t shown_ = 0;
  uint64_t hidden_ = 0;
};

}  // namespace consort
