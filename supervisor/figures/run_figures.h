// Takes the figures of a run while it goes on: told what happens, it never looks at a ring or a
// process but for the counters in /proc.
//
// The window that counts is the whole of the job, from the first result on; or, if it was asked to
// measure, it begins once every engine of the fleet has published something and is so many seconds
// long. Workers are known by the fleet's numbers; a place in the fleet (slot, engine) keeps its
// rate whoever works there.
//
// Costs a few hundred nanoseconds a segment, and a look at every process of the job once a second
// (rarer, if that were more than 1 % of a CPU). Memory: a constant, and some bytes an engine.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/figures/engine_rate.h"
#include "supervisor/figures/figures.h"
#include "supervisor/figures/result_bursts.h"
#include "supervisor/figures/work_slices.h"

namespace consort {

// What the loop counts anyway, as it is now.
struct FiguresTotals {
  std::array<int64_t, kStageCount> stage_ns{};  // of tasks that ended
  int64_t segments_timed = 0;                   // in those
};

struct SegmentFigures {
  uint64_t file = 0;
  uint64_t segment = 0;
  double audio_seconds = 0;
  // By the engine's clock, which is ours, so that it does not matter when we come to look (a slow
  // disk may keep us from it). Told by the worker: believed as far as it can be true.
  int64_t taken_ns = 0;
  int64_t published_ns = 0;
};

class RunFigures {
 public:
  struct Loop {
    FiguresSplit split;
    uint64_t batch = 1;  // segments of one forward
    std::function<FiguresTotals()> totals;
    std::function<std::vector<pid_t>()> templates;
    std::function<bool()> all_ready;  // every worker that there is to be is ready
  };

  // `measure_ns`: how long the window is to be; nullopt: the whole job.
  RunFigures(std::optional<int64_t> measure_ns, int64_t start_ns);

  // A loop begins to work on the job. Several may, one after another.
  void Begin(Loop loop);
  // It ends; its workers are there still.
  void End(int64_t now_ns);

  void Ready(uint64_t worker, size_t slot, uint32_t engines, pid_t pid, int64_t now_ns);
  // An engine that had nothing to do was given a task.
  void Given(uint64_t worker, uint32_t engine, int64_t now_ns);
  // It has done with something that counts for nothing: a segment at fault, or that nobody wants.
  void Ended(uint64_t worker, uint32_t engine, int64_t now_ns);
  // It has given a segment.
  void Segment(uint64_t worker, uint32_t engine, const SegmentFigures& seen, int64_t now_ns);
  // Reaped. `busy`: by engine, it held a task. `died`: it was not we who let it go.
  void Gone(uint64_t worker, const std::vector<bool>& busy, bool died, int64_t now_ns);
  void Memory(int64_t pss_bytes, int64_t now_ns);
  // Every 100 ms or so.
  void Tick(int64_t now_ns);
  // The job is to be stopped: what comes now is not counted if it was asked to measure.
  void Stopping(int64_t now_ns);

  // When the measured window ends; nullopt: nobody knows (yet), or it has ended.
  std::optional<int64_t> window_end_ns() const;
  // Ends the measured window if it is time. True once it was measured in full.
  bool Measured(int64_t now_ns);

  // The job was done before: there is nothing to take figures of.
  void NothingToDo() { nothing_to_do_ = true; }
  bool nothing_to_do() const { return nothing_to_do_; }

  void Restarts(const JobSummary::Restarts& workers, const JobSummary::Restarts& templates);
  // The split is then that which was chosen, if one was.
  void Trials(WorkerTrialFigures trials);

  // After the last loop.
  const Figures& Close(int exit_status, bool whole, int64_t now_ns);

 private:
  struct Engine {
    bool published = false;
    ResultBursts bursts;
    int64_t began_ns = 0;       // since when it is at what it is at
    int64_t burst_ns = 0;       // when the burst under way began
    int64_t burst_from_ns = 0;  // since when its work went on
    bool burst_counts = false;  // it began in the window
  };
  struct Worker {
    size_t slot = 0;
    pid_t pid = 0;
    std::vector<Engine> engines;
  };
  struct Slot {
    std::vector<EngineRate> rates;   // by engine
    std::vector<size_t> unanswered;  // deaths without a result after them
  };
  enum class State { kBefore, kCounting, kAfter };

  Engine* Find(uint64_t worker, uint32_t engine);
  void OpenWindow(int64_t now_ns);
  void CloseWindow(int64_t to_ns);
  void LookAtUsage();
  std::vector<pid_t> Pids() const;
  FiguresTotals Totals() const;
  void ConcludeRates(const Figures::Window& window);
  void ConcludeStages(const FiguresTotals& now);

  const std::optional<int64_t> measure_ns_;
  Figures figures_;
  Loop loop_;
  bool in_loop_ = false;
  FiguresTotals totals_;  // of loops that have ended, less what the one under way began with
  State state_ = State::kBefore;
  bool measured_ = false;
  bool nothing_to_do_ = false;
  std::map<uint64_t, Worker> workers_;
  std::map<size_t, Slot> slots_;
  size_t unpublished_ = 0;  // engines of workers that are there
  uint64_t segments_ = 0;   // of the whole run
  int64_t last_result_ns_ = 0;
  std::optional<WorkSlices> slices_;
  FiguresTotals at_open_;
  UsageMeter meter_;
  double supervisor_at_open_s_ = 0;
  int64_t next_usage_ns_ = 0;
  double pss_sum_ = 0;
  uint64_t pss_count_ = 0;
};

}  // namespace consort
