#include "supervisor/dispatch/unexplained_kills.h"

#include <algorithm>

namespace consort {

bool UnexplainedKills::Count(const std::vector<SegmentId>& in_flight, bool alone) {
  if (!alone) {
    row_.clear();
    int most = 0;
    for (const auto& segment : in_flight) most = std::max(most, ++all_[segment]);
    return most >= most_;
  }
  bool crashed = false;
  for (const auto& segment : in_flight) {
    crashed = ++row_[segment] % kKillsPerDeath == 0 || crashed;
  }
  return crashed;
}

void UnexplainedKills::Forget(uint64_t file) {
  const auto forget = [file](auto& from) {
    from.erase(from.lower_bound({file, 0}), from.upper_bound({file, UINT64_MAX}));
  };
  forget(all_);
  forget(row_);
}

}  // namespace consort
