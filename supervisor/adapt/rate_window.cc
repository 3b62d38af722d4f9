#include "supervisor/adapt/rate_window.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

// Parts of the window for its error: each with so many bursts an engine, so that it tells of the
// speed and not of where their ends fell.
constexpr uint64_t kFewestParts = 4;
constexpr uint64_t kMostParts = 20;
constexpr uint64_t kBurstsAPart = 2;

}  // namespace

RateWindow::RateWindow(int workers, int64_t from_ns)
    : from_ns_(from_ns), engines_(static_cast<size_t>(workers)), slices_(from_ns) {}

void RateWindow::Add(size_t slot, int64_t began_ns, int64_t at_ns, bool begins_burst) {
  if (slot >= engines_.size() || at_ns <= from_ns_) return;
  Engine& engine = engines_[slot];
  // The rest of a burst that began before is none to measure between.
  if (!begins_burst && engine.rate.bursts() == 0) return;
  engine.rate.Add(at_ns, begins_burst);
  if (begins_burst) {
    if (engine.burst_ns > 0) {
      const auto took = static_cast<double>(at_ns - engine.burst_ns);
      const double off = took - engine.mean;
      engine.mean += off / static_cast<double>(++engine.intervals);
      engine.squares += off * (took - engine.mean);
    }
    engine.burst_from_ns = std::min(began_ns, at_ns);
    engine.burst_ns = at_ns;
  }
  slices_.Add(engine.burst_from_ns, engine.burst_ns, 1);
}

uint64_t RateWindow::FewestBursts() const {
  uint64_t fewest = UINT64_MAX;
  for (const Engine& engine : engines_) fewest = std::min(fewest, engine.rate.bursts());
  return engines_.empty() ? 0 : fewest;
}

WindowRate RateWindow::Close(int64_t to_ns) const {
  double per_second = 0;
  double variance = 0;
  uint64_t bursts = 0;
  int64_t known_until_ns = to_ns;
  for (const Engine& engine : engines_) {
    const double rate = engine.rate.PerSecond(from_ns_, to_ns);
    per_second += rate;
    bursts += engine.rate.bursts();
    known_until_ns = std::min(known_until_ns, std::max(from_ns_, engine.burst_ns));
    if (engine.intervals < 2) return {.per_second = 0, .error = 1};
    const auto n = static_cast<double>(engine.intervals);
    const double relative = engine.squares / (n - 1) / (engine.mean * engine.mean) / n;
    variance += rate * rate * relative;
  }
  if (!(per_second > 0)) return {.per_second = 0, .error = 1};
  double error = std::sqrt(variance) / per_second;
  const uint64_t parts = std::min(bursts / (kBurstsAPart * engines_.size()), kMostParts);
  if (parts >= kFewestParts) {
    error = std::max(error, slices_.Spread(known_until_ns, parts).value_or(0));
  }
  return {.per_second = per_second, .error = error};
}

}  // namespace consort
