// Which split to try next, and which one is best: pure arithmetic, no clock, no process.
//
//   while (const auto trial = search.Next()) search.Add(*trial, measured(*trial));
//   search.Decide();
//
// Trials come in rounds. Each begins with the split that leads (the first one with the automatic
// one): it is the reference that links the rounds. Then come challengers, each the one most likely
// to beat the leader by what is known at that moment. Rounds have half as many challengers each
// time, and longer trials. It ends when there is little doubt left, or the budget is out.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "supervisor/tune/candidates.h"
#include "supervisor/tune/objective.h"
#include "supervisor/tune/surface.h"

namespace consort {

struct Trial {
  size_t candidate = 0;
  double seconds = 0;  // for which segments are to be counted
  int round = 0;       // from 1
};

// What came of a trial.
struct Observation {
  enum class Kind {
    kCounted,
    kTooFew,  // too few segments were counted to say anything
    kFailed,  // this split does not run here
  } kind = Kind::kCounted;
  double per_second = 0;  // segments
  double spread = 0;      // its relative standard error; 0: not known
  double p95_ms = 0;
  int64_t peak_bytes = 0;  // of the whole tree; 0: not known
  double took_s = 0;       // the whole trial, its start and end included
};

struct SearchSettings {
  TuneOptions::Objective objective = TuneOptions::Objective::kThroughput;
  int64_t memory_limit = 0;     // bytes of the whole tree; 0: none
  bool must_know_peak = false;  // a split whose peak nobody saw does not fit into the limit
  double budget_s = 120;        // of all trials together
};

// All that was measured of a split.
struct Tried {
  size_t candidate = 0;
  int trials = 0;  // that counted
  bool failed = false;
  bool fits = true;  // into the memory limit
  // As at the same time as the chosen one's trials, the machine's drift taken out: the mean of
  // those times `value`. Where nothing was chosen, the mean of its own trials.
  double per_second = 0;
  double error = 0;        // relative standard error of the mean of its trials
  double p95_ms = 0;       // likewise, with `latency`; means are geometric
  int64_t peak_bytes = 0;  // the largest
  double value = 1;        // segments a second in comparison with the chosen one's, drift taken out
  double latency = 1;      // p95, likewise
};

struct Decision {
  std::optional<size_t> chosen;  // candidate; nullopt: none that runs fits (or nothing was counted)
  std::optional<size_t> next;    // the next best of those tried
  double sure = 0;               // probability that no other is better by more than 2 %
  bool out_of_budget = false;    // more trials would have made it surer
  std::vector<Tried> tried;      // the best first; the chosen one is the first
};

class Search {
 public:
  // Differences up to this count as none: 1 %.
  static constexpr double kTie = 0.01;
  // What Decision::sure is about: a tie, and as much again.
  static constexpr double kSureWithin = 0.02;

  // The first candidate is the automatic split.
  Search(std::vector<Candidate> candidates, const SearchSettings& settings);

  // nullopt: it is over.
  std::optional<Trial> Next();
  void Add(const Trial& trial, const Observation& observation);
  Decision Decide();

  const std::vector<Candidate>& candidates() const { return candidates_; }
  double spent_s() const { return spent_s_; }
  // By what is known now; the automatic one before anything is.
  size_t leader() const { return leader_; }

 private:
  struct Known {
    std::vector<double> rates, latencies, errors;
    int64_t peak = 0;
    bool failed = false;
    bool measured() const { return !rates.empty(); }
  };

  void Learn();
  bool Fits(const Known& known) const;
  double Seconds() const;
  std::optional<Trial> Affordable(size_t candidate);
  bool BeginRound();
  bool MayBeTried(size_t candidate) const;  // in this round
  std::optional<size_t> NextChallenger() const;
  // The split nearest to half of the automatic one's threads.
  std::optional<size_t> HalfAsMany() const;
  // Likely figures of all, a draw: those measured have the memory that was measured.
  std::vector<SplitFigures> DrawFigures();
  std::vector<SplitFigures> MeanFigures(bool only_measured) const;
  // Of each one measured: the probability that some other is better by more than kSureWithin.
  std::vector<double> Risks();
  // Of those that are as good as the best, and about as sure to be: the automatic split, or else
  // what takes least memory.
  size_t Simplest(const std::vector<SplitFigures>& all, size_t best,
                  const std::vector<double>& risks) const;
  std::optional<size_t> BestMeasured() const;

  std::vector<Candidate> candidates_;
  SearchSettings settings_;
  std::vector<Known> known_;
  Surface rate_, latency_, peak_;
  std::mt19937_64 random_{20'260'101};
  double spent_s_ = 0;
  double beside_s_ = 0;  // what a trial takes beside counting: the most of late
  double longer_ = 1;    // trials were too short by so much
  size_t counted_ = 0;   // trials
  int round_ = 0;
  int challengers_ = 0;         // still to come in this round
  std::vector<bool> of_round_;  // was in it
  size_t leader_ = 0;
  std::vector<double> chances_;  // of each to be the one that beats the leader
  double doubt_ = 1;             // probability that some other is better by more than kTie
  bool out_of_budget_ = false;
};

}  // namespace consort
