#include "supervisor/tune/search.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

// Less doubt than this ends the search: that is what "sure" means.
constexpr double kLittleDoubt = 0.04;
// A challenger that is less likely to win is not worth a trial.
constexpr double kHopeless = 0.004;
constexpr int kFirstChallengers = 8;
constexpr int kFewestChallengers = 2;
constexpr int kHalvings = 2;
constexpr int kFewestRounds = 2;
constexpr int kDraws = 500;
// Seconds of the first trials: a share of the budget, so that there are some 40 however large that
// is. Of the longest ones: so many times more, or than this.
constexpr double kTrialShare = 0.02;
constexpr double kShortest = 0.6;  // less, and memory is not looked at even once
constexpr double kLongest = 3.5;
constexpr double kLongestStart = 2.4;
// Where splits are nearly equal there are many rounds: few long trials tell them apart as well as
// many short ones, whose starts tell nothing.
constexpr double kRoundGrowth = 1.25;
// Starting costs more than counting does: count for longer then.
constexpr double kOfStart = 0.7;
// The last trial is to end in time: starts differ by so much.
constexpr double kStartMargin = 1.15;
constexpr double kNoSpread = 0.02;   // where the trial could not say
constexpr double kPeakError = 0.02;  // samples miss the very peak
constexpr double kLatencyError = 2;  // a percentile is less sure than a mean, by so much
constexpr double kMostTooFew = 16;
// A tie may be less sure than the best by so much.
constexpr double kTieRisk = 0.03;

std::vector<Surface::Point> Points(const std::vector<Candidate>& candidates,
                                   double Candidate::*guess) {
  std::vector<Surface::Point> points;
  for (const Candidate& it : candidates) {
    points.push_back({.total = std::log2(it.engines() * it.intra),
                      .threads = std::log2(it.split.engines),
                      .intra = std::log2(it.intra),
                      .guess = std::log(it.*guess)});
  }
  return points;
}

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double GeometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double it : values) sum += std::log(it);
  return std::exp(sum / static_cast<double>(values.size()));
}

// Of the mean of repeats: by their scatter or by what each says of itself, whichever is more.
double StandardError(const std::vector<double>& values, const std::vector<double>& errors) {
  const auto n = static_cast<double>(values.size());
  const double mean = Mean(values);
  double within = 0;
  double between = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    within += errors[i] * errors[i];
    between += (values[i] / mean - 1) * (values[i] / mean - 1);
  }
  const double own = std::sqrt(within) / n;
  return values.size() < 2 ? own : std::max(own, std::sqrt(between / (n - 1) / n));
}

}  // namespace

Search::Search(std::vector<Candidate> candidates, const SearchSettings& settings)
    : candidates_(std::move(candidates)),
      settings_(settings),
      known_(candidates_.size()),
      rate_(Points(candidates_, &Candidate::rate), Surface::Drift::kYes),
      latency_(Points(candidates_, &Candidate::latency), Surface::Drift::kYes),
      peak_(Points(candidates_, &Candidate::peak_bytes), Surface::Drift::kNo) {}

bool Search::Fits(const Known& known) const {
  if (settings_.memory_limit == 0) return true;
  return known.peak > 0 ? known.peak <= settings_.memory_limit : !settings_.must_know_peak;
}

double Search::Seconds() const {
  const double first = std::max(kTrialShare * settings_.budget_s, kShortest);
  const double grown = std::max(first, kOfStart * beside_s_) *
                       std::pow(kRoundGrowth, std::max(0, round_ - 1)) * longer_;
  return std::min(grown, kLongest * std::max(first, kLongestStart) * longer_);
}

std::optional<Trial> Search::Affordable(size_t candidate) {
  const double left = settings_.budget_s - spent_s_ - kStartMargin * beside_s_;
  double seconds = Seconds();
  if (seconds > left) seconds = left;
  // The end of the budget is no reason for a trial that says little.
  out_of_budget_ = (seconds < 0.5 * Seconds() && counted_ > 0) || seconds < kShortest;
  if (out_of_budget_) return std::nullopt;
  of_round_[candidate] = true;
  return Trial{.candidate = candidate, .seconds = seconds, .round = round_};
}

bool Search::BeginRound() {
  of_round_.assign(candidates_.size(), false);
  challengers_ = std::max(kFewestChallengers, kFirstChallengers >> std::min(round_, kHalvings));
  ++round_;
  return !known_[leader_].failed && (!known_[leader_].measured() || Fits(known_[leader_]));
}

bool Search::MayBeTried(size_t i) const {
  return !of_round_[i] && !known_[i].failed && (!known_[i].measured() || Fits(known_[i]));
}

std::optional<size_t> Search::HalfAsMany() const {
  const double half = candidates_.front().engines() / 2.0;
  std::optional<size_t> nearest;
  double least = 0.5;
  for (size_t i = 1; i < candidates_.size(); ++i) {
    const double distance =
        std::fabs(std::log2(candidates_[i].engines() * candidates_[i].intra / half));
    if (candidates_[i].intra > 1 || distance >= least || !MayBeTried(i)) continue;
    nearest = i;
    least = distance;
  }
  return nearest;
}

std::optional<size_t> Search::NextChallenger() const {
  // One trial says whether cores are what is short. Guesses assume it, and were it wrong, nothing
  // that is tried because of a good guess would show it.
  if (round_ == 1 && challengers_ == kFirstChallengers) {
    if (const auto half = HalfAsMany()) return half;
  }
  std::optional<size_t> next;
  double most = chances_.empty() ? 0 : kHopeless;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const double chance = chances_.empty() ? candidates_[i].rate : chances_[i];
    if (!MayBeTried(i) || chance <= most) continue;
    next = i;
    most = chance;
  }
  return next;
}

std::optional<Trial> Search::Next() {
  // Two turns at most: a round that is over, and the first trial of the next.
  for (int turn = 0; turn < 3; ++turn) {
    const bool sure = counted_ > 0 && doubt_ < kLittleDoubt && round_ >= kFewestRounds &&
                      known_[leader_].rates.size() >= 2;
    if (sure) return std::nullopt;
    if (round_ == 0 || challengers_ == 0) {
      // A leader that fails or does not fit is no reference: its round goes without one.
      if (BeginRound()) return Affordable(leader_);
    }
    const auto next = NextChallenger();
    if (next) {
      --challengers_;
      return Affordable(*next);
    }
    challengers_ = 0;
  }
  return std::nullopt;
}

void Search::Add(const Trial& trial, const Observation& observation) {
  spent_s_ += observation.took_s;
  beside_s_ = std::max(0.8 * beside_s_, observation.took_s - trial.seconds);
  Known& known = known_[trial.candidate];
  known.peak = std::max(known.peak, observation.peak_bytes);
  if (observation.peak_bytes > 0) {
    peak_.Add(trial.candidate, std::log(static_cast<double>(observation.peak_bytes)), kPeakError,
              spent_s_);
  }
  if (observation.kind == Observation::Kind::kFailed) known.failed = true;
  if (observation.kind == Observation::Kind::kTooFew) {
    longer_ = std::min(2 * longer_, kMostTooFew);
    of_round_[trial.candidate] = false;
    if (trial.candidate == leader_ && !known.measured()) challengers_ = 0;
  }
  if (observation.kind == Observation::Kind::kCounted) {
    const double error = observation.spread > 0 ? observation.spread : kNoSpread;
    ++counted_;
    known.rates.push_back(observation.per_second);
    known.errors.push_back(error);
    rate_.Add(trial.candidate, std::log(observation.per_second), error, spent_s_);
    if (observation.p95_ms > 0) {
      known.latencies.push_back(observation.p95_ms);
      latency_.Add(trial.candidate, std::log(observation.p95_ms), kLatencyError * error, spent_s_);
    }
  }
  Learn();
}

std::vector<SplitFigures> Search::DrawFigures() {
  const auto rates = rate_.Draw(random_);
  // Only where it matters: this is the most of the arithmetic.
  const bool latency = settings_.objective == Objective::kLatency;
  const bool memory = settings_.objective == Objective::kMemory || settings_.memory_limit > 0;
  const auto latencies = latency ? latency_.Draw(random_) : latency_.mean();
  const auto peaks = memory ? peak_.Draw(random_) : peak_.mean();
  std::vector<SplitFigures> all(candidates_.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const Known& known = known_[i];
    const double peak = known.peak > 0 ? std::log(static_cast<double>(known.peak)) : peaks[i];
    all[i] = {.rate = rates[i], .latency = latencies[i], .peak = peak, .allowed = !known.failed};
    if (settings_.memory_limit > 0 &&
        peak > std::log(static_cast<double>(settings_.memory_limit))) {
      all[i].allowed = false;
    }
  }
  return all;
}

std::vector<SplitFigures> Search::MeanFigures(bool only_measured) const {
  std::vector<SplitFigures> all(candidates_.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const Known& known = known_[i];
    all[i] = {.rate = rate_.mean()[i],
              .latency = latency_.mean()[i],
              .peak = known.peak > 0 ? std::log(static_cast<double>(known.peak)) : peak_.mean()[i],
              .allowed = !known.failed && Fits(known) && (known.measured() || !only_measured)};
  }
  return all;
}

std::optional<size_t> Search::BestMeasured() const {
  return Best(MeanFigures(true), settings_.objective);
}

void Search::Learn() {
  rate_.Fit();
  latency_.Fit();
  peak_.Fit();
  const auto best = BestMeasured();
  if (best) leader_ = *best;
  chances_.assign(candidates_.size(), 0);
  doubt_ = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto all = DrawFigures();
    const auto winner = Best(all, settings_.objective);
    if (!winner) continue;
    if (!best) {
      // Nothing that fits was found yet: whatever may fit is better.
      chances_[*winner] += 1.0 / kDraws;
      doubt_ += 1.0 / kDraws;
      continue;
    }
    if (*winner == leader_) continue;
    chances_[*winner] += 1.0 / kDraws;
    if (Regret(all, settings_.objective, leader_) > kTie) doubt_ += 1.0 / kDraws;
  }
  if (!best && *std::ranges::max_element(chances_) < kHopeless) {
    // By all that is known nothing fits. What needs least is tried all the same: it is either the
    // split that fits, or the figure for the sentence that none does.
    std::optional<size_t> least;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (known_[i].failed || known_[i].peak > 0) continue;
      if (!least || peak_.mean()[i] < peak_.mean()[*least]) least = i;
    }
    const bool smaller =
        least && std::ranges::none_of(known_, [&](const Known& it) {
          return it.peak > 0 && std::log(static_cast<double>(it.peak)) < peak_.mean()[*least] - 0.1;
        });
    if (smaller) chances_[*least] = 1;
  }
}

std::vector<double> Search::Risks() {
  std::vector<double> risks(candidates_.size());
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto all = DrawFigures();
    for (size_t i = 0; i < risks.size(); ++i) {
      if (!known_[i].measured()) continue;
      if (Regret(all, settings_.objective, i) > kSureWithin) risks[i] += 1.0 / kDraws;
    }
  }
  return risks;
}

size_t Search::Simplest(const std::vector<SplitFigures>& all, size_t best,
                        const std::vector<double>& risks) const {
  size_t chosen = best;
  for (size_t i = 0; i < all.size() && !candidates_[chosen].automatic; ++i) {
    // Equal, and not only because too little is known of it.
    if (!all[i].allowed || Regret(all, settings_.objective, i) > kTie ||
        risks[i] > risks[best] + kTieRisk) {
      continue;
    }
    if (candidates_[i].automatic || all[i].peak < all[chosen].peak) chosen = i;
  }
  return chosen;
}

Decision Search::Decide() {
  Decision decision;
  decision.out_of_budget = out_of_budget_;
  if (counted_ == 0 && spent_s_ == 0) return decision;
  const auto all = MeanFigures(true);
  const auto best = Best(all, settings_.objective);
  if (best) {
    const auto risks = Risks();
    decision.chosen = Simplest(all, *best, risks);
    decision.sure = 1 - risks[*decision.chosen];
    auto others = all;
    others[*decision.chosen].allowed = false;
    decision.next = Best(others, settings_.objective);
  }
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Known& known = known_[i];
    if (!known.measured() && !known.failed && known.peak == 0) continue;
    Tried tried{.candidate = i,
                .trials = static_cast<int>(known.rates.size()),
                .failed = known.failed,
                .fits = Fits(known),
                .peak_bytes = known.peak};
    if (known.measured()) {
      const Known& level = decision.chosen ? known_[*decision.chosen] : known;
      if (decision.chosen) {
        tried.value = std::exp(all[i].rate - all[*decision.chosen].rate);
        tried.latency = std::exp(all[i].latency - all[*decision.chosen].latency);
      }
      tried.per_second = tried.value * Mean(level.rates);
      tried.error = StandardError(known.rates, known.errors);
      if (!known.latencies.empty() && !level.latencies.empty()) {
        tried.p95_ms = tried.latency * GeometricMean(level.latencies);
      }
    }
    decision.tried.push_back(tried);
  }
  std::ranges::stable_sort(decision.tried, [&](const Tried& a, const Tried& b) {
    const auto rank = [&](const Tried& it) {
      if (decision.chosen && it.candidate == *decision.chosen) return 0;
      if (it.failed || it.trials == 0) return 3;
      return it.fits ? 1 : 2;
    };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    if (settings_.objective == Objective::kLatency) return a.latency < b.latency;
    return a.value > b.value;
  });
  return decision;
}

}  // namespace consort
