#include "supervisor/tune/objective.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

constexpr double kNone = -std::numeric_limits<double>::infinity();

// The allowed split for which `value` is largest.
template <typename Value>
std::optional<size_t> Largest(const std::vector<SplitFigures>& all, Value value) {
  std::optional<size_t> best;
  double most = kNone;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i].allowed) continue;
    const double its = value(all[i]);
    if (!best || its > most) {
      best = i;
      most = its;
    }
  }
  return best;
}

}  // namespace

std::optional<size_t> Best(const std::vector<SplitFigures>& all, Objective objective) {
  const auto fastest = Largest(all, [](const SplitFigures& it) { return it.rate; });
  if (!fastest || objective == Objective::kThroughput) return fastest;
  if (objective == Objective::kMemory) {
    const double enough = all[*fastest].rate + std::log(kMemoryShare);
    return Largest(all,
                   [&](const SplitFigures& it) { return it.rate >= enough ? -it.peak : kNone; });
  }
  const auto soonest = Largest(all, [](const SplitFigures& it) { return -it.latency; });
  const double late = all[*soonest].latency + kLatencyTie;
  return Largest(all, [&](const SplitFigures& it) { return it.latency <= late ? it.rate : kNone; });
}

double Regret(const std::vector<SplitFigures>& all, Objective objective, size_t one) {
  const auto best = Best(all, objective);
  if (!best || *best == one) return 0;
  const SplitFigures& its = all[one];
  const SplitFigures& least = all[*best];
  if (!its.allowed) return std::numeric_limits<double>::infinity();
  if (objective == Objective::kThroughput) return least.rate - its.rate;
  if (objective == Objective::kMemory) {
    const auto fastest = Best(all, Objective::kThroughput);
    const double missing = all[*fastest].rate + std::log(kMemoryShare) - its.rate;
    return missing > 0 ? missing : its.peak - least.peak;
  }
  const auto soonest = Largest(all, [](const SplitFigures& it) { return -it.latency; });
  const double later = its.latency - all[*soonest].latency;
  return later > kLatencyTie ? later : least.rate - its.rate;
}

}  // namespace consort
