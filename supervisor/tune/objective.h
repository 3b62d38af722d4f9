// What "best" means. Pure arithmetic on what is known, or for the moment assumed, of every split.
//
//   throughput  most segments a second
//   latency     least p95 of a segment's time; of those within 2 % of it the one with most segments
//               a second
//   memory      least memory of the whole tree, of those with at least 0.9 of the most segments a
//               second
#pragma once

#include <optional>
#include <vector>

#include "supervisor/cli/options.h"

namespace consort {

// Natural logarithms, so that differences are ratios.
struct SplitFigures {
  double rate = 0;      // segments a second
  double latency = 0;   // p95
  double peak = 0;      // bytes
  bool allowed = true;  // may be chosen at all: it runs, and has room
};

inline constexpr double kLatencyTie = 0.02;
inline constexpr double kMemoryShare = 0.9;  // of the most segments a second

// The best by these figures; nullopt if none is allowed.
std::optional<size_t> Best(const std::vector<SplitFigures>& all, TuneOptions::Objective objective);

// By how much the best of all is better than `one`, as a logarithm of a ratio: 0.01 is 1 %.
double Regret(const std::vector<SplitFigures>& all, TuneOptions::Objective objective, size_t one);

}  // namespace consort
