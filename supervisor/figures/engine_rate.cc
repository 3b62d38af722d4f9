#include "supervisor/figures/engine_rate.h"

#include <algorithm>

namespace consort {

void EngineRate::Add(int64_t at_ns, bool begins_burst) {
  ++results_;
  if (begins_burst || bursts_ == 0) {
    if (bursts_ == 0) first_ns_ = at_ns;
    if (bursts_ > 0) longest_ns_ = std::max(longest_ns_, at_ns - last_ns_);
    ++bursts_;
    last_ns_ = at_ns;
    in_last_ = 0;
  }
  ++in_last_;
  if (bursts_ == 1) ++in_first_;
}

double EngineRate::PerSecond(int64_t from_ns, int64_t to_ns) const {
  if (results_ == 0 || to_ns <= from_ns) return 0;
  const bool few = bursts_ < 2;
  const bool late = few || first_ns_ - from_ns > 2 * longest_ns_;
  const bool silent = few || to_ns - last_ns_ > 2 * longest_ns_;
  uint64_t done = results_;
  if (!late) done -= silent ? in_first_ : in_last_;
  const int64_t ns = (silent ? to_ns : last_ns_) - (late ? from_ns : first_ns_);
  return ns > 0 ? static_cast<double>(done) * 1e9 / static_cast<double>(ns) : 0;
}

}  // namespace consort
