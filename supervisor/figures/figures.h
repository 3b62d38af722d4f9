// The figures of one run, as values, and as the JSON that programs read. docs/results.md has every
// key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/channel/stage.h"
#include "supervisor/figures/log_histogram.h"
#include "supervisor/figures/thinned_series.h"
#include "supervisor/figures/tried_count.h"
#include "supervisor/figures/usage_meter.h"
#include "supervisor/view/summary.h"

namespace consort {

// Raised when a key changes its meaning or goes; a new key does not raise it.
inline constexpr int kFiguresVersion = 1;

struct FiguresSplit {
  int workers = 0;
  int engines = 0;
  int intra = 1;  // 0: LibTorch's own choice
  int usable_cpus = 0;
};

// Other numbers of workers that were tried while the job ran.
struct WorkerTrialFigures {
  std::optional<int> start;   // nullopt: nothing was tried
  std::optional<int> chosen;  // nullopt: it did not come so far
  std::optional<int64_t> chosen_ns;
  std::vector<TriedCount> tried;
};

// Times are of CLOCK_MONOTONIC.
struct DeathFigures {
  int64_t at_ns = 0;  // reaped
  size_t slot = 0;
  int64_t lost_ns = 0;
  std::optional<int64_t> ready_ns;        // when its slot had a ready worker again
  std::optional<int64_t> next_result_ns;  // when that gave its first result
};

struct Figures {
  struct Window {
    int64_t from_ns = 0;
    int64_t to_ns = 0;
    double seconds() const { return static_cast<double>(to_ns - from_ns) * 1e-9; }
  };

  int64_t start_ns = 0;               // what JSON's times count from
  std::optional<FiguresSplit> split;  // nullopt: it did not come so far
  bool complete = false;
  int exit_status = 0;
  int64_t end_ns = 0;
  std::optional<int64_t> ready_ns;
  std::optional<Window> window;
  uint64_t counted = 0;
  std::optional<double> per_second;
  std::optional<double> spread;
  double audio_seconds = 0;
  LogHistogram latency;  // ns
  std::optional<std::array<double, kStageCount>> stage_ms;
  std::optional<Usage> usage;
  double supervisor_s = 0;     // of usage, if there is one
  int64_t peak_pss_bytes = 0;  // 0: not known
  std::optional<double> mean_pss_bytes;
  ThinnedSeries memory;
  ThinnedSeries rate;
  WorkerTrialFigures trials;
  std::vector<DeathFigures> deaths;
  JobSummary::Restarts workers_restarted;
  JobSummary::Restarts templates_restarted;
};

// One line, with its newline.
std::string FiguresJson(const Figures& figures);

}  // namespace consort
