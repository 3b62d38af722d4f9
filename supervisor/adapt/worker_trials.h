// How many workers are best on this machine, found while a job is under way: other numbers than
// that which it began with work for some seconds each, and the best one stays.
//
// A challenger's window lies between two of the start: A-B-A. A machine that grows slower or faster
// meanwhile (heat, neighbours, another kind of files) does so for both, and what is steady in that
// cancels. What is in doubt is measured again, A-B-A-B-A and so on. The speed over the number of
// workers is taken for a hill: where more are better, fewer are not tried, and half of them only if
// three quarters were better. All ends within kMostWindows windows of time, whatever comes.
//
// Told what happens and when; tells how many workers are to take tasks: those in the first slots.
// No clock, no process, no file. A worker has one engine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "supervisor/adapt/rate_window.h"
#include "supervisor/adapt/worker_counts.h"
#include "supervisor/figures/tried_count.h"

namespace consort {

class WorkerTrials {
 public:
  static constexpr int64_t kWindowNs = 4'000'000'000;
  // From the beginning of the first one to the end: a minute.
  static constexpr int64_t kMostWindows = 15;

  // How it looks at a moment.
  struct Sight {
    bool settled = false;  // as many workers run as are wanted, and nobody else
    // Nothing but ordinary work goes on: no suspect is on trial, no worker is to be replaced.
    bool calm = true;
    // A file is open that only the engine that began it goes on with cheaply: no worker is to go.
    bool bound = false;
    double segments_left = 0;  // that nobody has been given; a guess
  };

  explicit WorkerTrials(WorkerCounts counts, int64_t window_ns = kWindowNs);

  // How many workers are to take tasks.
  int wanted() const { return wanted_; }
  // It stays as it is now.
  bool over() const { return over_; }
  int start() const { return counts_.start; }
  // The number that was found to be the best; nullopt: it is not over, or was cut off.
  std::optional<int> chosen() const { return chosen_; }
  // Of the chosen one, as in TriedCount; of the start 0.
  double gain() const { return best_gain_; }
  const std::vector<TriedCount>& tried() const { return tried_; }

  // A worker gave a segment. In order of time for each slot; `begins_burst`: it is not of the same
  // forward as the one before.
  void Result(size_t slot, int64_t at_ns, bool begins_burst);
  // A worker was lost: what is under way tells nothing. Back to the start, and on from there.
  void Disturbed();
  // Now and then, several times a window.
  void Look(const Sight& sight, int64_t now_ns);
  // Nothing more is tried: it stays as it is.
  void Stop() { over_ = true; }
  // The same for want of memory, but if more workers than at the start are wanted, tried or chosen,
  // no longer: true. If fewer are tried, neither: what was best so far of the start and fewer
  // stays.
  bool GiveBack();

 private:
  enum class Phase { kSettling, kCounting };
  struct Engine {
    int64_t last_ns = 0;  // its last burst
    bool warm = false;    // it has given one since all that are wanted run
  };
  struct Bracket {
    WindowRate before, challenger, after;
    bool chained = false;  // `before` is `after` of the bracket before it
  };

  bool AtStart() const { return wanted_ == counts_.start; }
  bool AnyLeft() const { return challenger_ < counts_.challengers.size(); }
  void Settle(int workers);
  void LookSettling(const Sight& sight, int64_t now_ns);
  void CloseWindow(const Sight& sight, int64_t now_ns);
  void CloseChallenger(const WindowRate& rate);
  double Variance(const WindowRate& rate) const;
  void AddBracket(const WindowRate& after);
  void Judge(bool last);
  void Drop();
  void GoTo(size_t challenger);
  bool Fits(const Sight& sight, int64_t now_ns) const;
  bool Fewer(int workers) const { return workers < counts_.start; }
  void Next(const Sight& sight, int64_t now_ns);
  void BackToStart();
  void Conclude();

  const WorkerCounts counts_;
  const int64_t window_ns_;
  int wanted_;
  bool over_;
  std::optional<int> chosen_;
  std::vector<TriedCount> tried_;
  int best_;  // so far
  double best_gain_ = 0;

  Phase phase_ = Phase::kSettling;
  std::optional<int64_t> began_ns_;     // the first window
  std::optional<int64_t> settling_ns_;  // since when it is waited for a window to begin
  bool settled_ = false;                // in kSettling: as many run as are wanted
  std::vector<Engine> engines_;         // by slot
  std::optional<RateWindow> window_;    // in kCounting

  size_t challenger_ = 0;              // index in counts_.challengers
  std::optional<WindowRate> before_;   // the start's last window
  std::optional<WindowRate> pending_;  // the challenger's, until the start was looked at again
  std::vector<Bracket> brackets_;      // of the challenger
  bool chained_ = false;               // before_ is the last one's `after`
  double gain_ = 0;                    // by them: logarithm of its rate over the start's
  double error_ = 0;
  // Of the start's logarithm from window to window.
  double unrest_ = 0;  // sum of its variance
  int unrest_count_ = 0;
};

}  // namespace consort
