#include "supervisor/adapt/worker_trials.h"

#include <algorithm>
#include <cmath>

#include "supervisor/plan/task_size.h"

namespace consort {
namespace {

// A challenger that is not so much better is not worth a change.
const double kWorthIt = std::log(1.03);
// One that looks so much worse needs no second look at the start.
const double kHopeless = std::log(0.92);

// How many standard errors make sure: at first it is a guess how restless this machine is. In the
// end what is known has to do.
constexpr double kSureAtFirst = 3.5;
constexpr double kSure = 3;
constexpr double kSureAtLast = 2;
constexpr size_t kMostBrackets = 5;
// How much the machine's speed differs from window to window, which none of them shows by itself: a
// guess, and for how many comparisons it counts beside those that are made.
constexpr double kUsualUnrest = 0.015;
constexpr double kGuessWeight = 2;

// In a window, of each worker.
constexpr uint64_t kFewestBursts = 3;
// These are in windows. How long one may be, for the sake of a slow model.
constexpr int64_t kLongestWindow = 3;
// How long it is waited for a challenger's window to begin: workers that go finish their tasks, of
// which they hold two. With short windows these take longer.
constexpr int64_t kLongestSettling = 3;
constexpr int64_t kTwoTasksNs = 2 * TaskSize::kSliceNs + 1'000'000'000;
// A challenger's window, the start's behind it, and what is waited for in between.
constexpr int64_t kBracket = 3;
// The work that is left is worth so many brackets, or no trial begins: it could not pay.
constexpr double kBracketsLeft = 4;

}  // namespace

WorkerTrials::WorkerTrials(WorkerCounts counts, int64_t window_ns)
    : counts_(std::move(counts)),
      window_ns_(window_ns),
      wanted_(counts_.start),
      over_(counts_.challengers.empty()),
      best_(counts_.start) {}

// ---- what happens ----

void WorkerTrials::Result(size_t slot, int64_t at_ns, bool begins_burst) {
  if (over_) return;
  if (slot >= engines_.size()) engines_.resize(slot + 1);
  Engine& engine = engines_[slot];
  if (phase_ == Phase::kCounting) window_->Add(slot, engine.last_ns, at_ns, begins_burst);
  if (!begins_burst) return;
  engine.last_ns = at_ns;
  engine.warm = true;
}

void WorkerTrials::Disturbed() {
  if (over_) return;
  before_.reset();
  chained_ = false;
  BackToStart();
}

bool WorkerTrials::GiveBack() {
  if (wanted_ <= counts_.start) {
    if (over_) return false;
    // Fewer are no remedy that was chosen: whoever keeps the memory decides on that, and says so.
    wanted_ = std::min(best_, counts_.start);
    if (wanted_ < counts_.start) chosen_ = wanted_;
    over_ = true;
    return false;
  }
  over_ = true;
  wanted_ = counts_.start;
  if (chosen_) chosen_ = counts_.start;
  best_gain_ = 0;
  return true;
}

void WorkerTrials::Look(const Sight& sight, int64_t now_ns) {
  if (over_) return;
  if (began_ns_ && now_ns - *began_ns_ >= kMostWindows * window_ns_) return Conclude();
  if (!sight.calm || (sight.bound && Fewer(wanted_))) return Disturbed();
  if (phase_ == Phase::kSettling) return LookSettling(sight, now_ns);
  if (!sight.settled) return Disturbed();
  const int64_t age_ns = now_ns - window_->from_ns();
  const bool enough = window_->FewestBursts() >= kFewestBursts;
  if (age_ns >= (enough ? 1 : kLongestWindow) * window_ns_) CloseWindow(sight, now_ns);
}

// ---- windows ----

void WorkerTrials::Settle(int workers) {
  wanted_ = workers;
  phase_ = Phase::kSettling;
  settled_ = false;
  settling_ns_.reset();
  window_.reset();
}

void WorkerTrials::BackToStart() {
  pending_.reset();
  Settle(counts_.start);
}

void WorkerTrials::LookSettling(const Sight& sight, int64_t now_ns) {
  if (!settling_ns_) settling_ns_ = now_ns;
  const int64_t longest_ns = std::max(kLongestSettling * window_ns_, kTwoTasksNs);
  if (!AtStart() && now_ns - *settling_ns_ >= longest_ns) {
    Drop();
    return AnyLeft() ? BackToStart() : Conclude();
  }
  if (!sight.settled) {
    settled_ = false;
    return;
  }
  if (!settled_) {
    settled_ = true;
    engines_.resize(static_cast<size_t>(wanted_));
    for (Engine& engine : engines_) engine.warm = false;
  }
  // What a worker does for the first time is over, and all of them have work.
  if (!std::ranges::all_of(engines_, &Engine::warm)) return;
  if (!began_ns_) began_ns_ = now_ns;
  phase_ = Phase::kCounting;
  window_.emplace(wanted_, now_ns);
}

void WorkerTrials::CloseWindow(const Sight& sight, int64_t now_ns) {
  const bool enough = window_->FewestBursts() >= kFewestBursts;
  const WindowRate rate = window_->Close(now_ns);
  if (!enough || !(rate.per_second > 0)) {  // too slow to be told within a minute
    if (AtStart()) return Conclude();
    Drop();
    return AnyLeft() ? BackToStart() : Conclude();
  }
  if (!AtStart()) return CloseChallenger(rate);
  if (pending_) {
    AddBracket(rate);
    Judge(false);
  }
  before_ = rate;
  Next(sight, now_ns);
}

void WorkerTrials::CloseChallenger(const WindowRate& rate) {
  const double gain = std::log(rate.per_second / before_->per_second);
  const double error = std::sqrt(Variance(rate) + Variance(*before_));
  ++tried_.back().windows;
  Settle(counts_.start);
  pending_ = rate;
  if (gain + kSureAtFirst * error >= kHopeless) return;
  tried_.back().gain = std::expm1(gain);
  tried_.back().error = error;
  Drop();
  if (!AnyLeft()) Conclude();
}

void WorkerTrials::Next(const Sight& sight, int64_t now_ns) {
  if (!AnyLeft() || !Fits(sight, now_ns)) return Conclude();
  const int workers = counts_.challengers[challenger_];
  if (sight.bound && Fewer(workers)) {  // later perhaps; until then the start is looked at
    chained_ = false;
    return Settle(counts_.start);
  }
  if (tried_.empty() || tried_.back().workers != workers) {
    tried_.push_back({.workers = workers, .windows = 0, .gain = std::nullopt, .error = 0});
  }
  Settle(workers);
}

bool WorkerTrials::Fits(const Sight& sight, int64_t now_ns) const {
  const int64_t bracket_ns = kBracket * window_ns_;
  if (now_ns + bracket_ns - *began_ns_ > kMostWindows * window_ns_) return false;
  const double work = before_->per_second * static_cast<double>(bracket_ns) * 1e-9;
  return sight.segments_left >= kBracketsLeft * work;
}

// ---- what they tell ----

// Of the logarithm of a window's rate.
double WorkerTrials::Variance(const WindowRate& rate) const {
  const double unrest =
      (kGuessWeight * kUsualUnrest * kUsualUnrest + unrest_) / (kGuessWeight + unrest_count_);
  return std::max(rate.error * rate.error, unrest);
}

void WorkerTrials::AddBracket(const WindowRate& after) {
  const double change = std::log(after.per_second / before_->per_second);
  unrest_ += change * change / 2;
  ++unrest_count_;
  brackets_.push_back({*before_, *pending_, after, chained_});
  chained_ = true;
  pending_.reset();
  double sum = 0;
  double variance = 0;
  for (const Bracket& it : brackets_) {
    sum += std::log(it.challenger.per_second) -
           (std::log(it.before.per_second) + std::log(it.after.per_second)) / 2;
    variance += Variance(it.challenger) + (Variance(it.before) + Variance(it.after)) / 4;
    // The window between two brackets is a half of either.
    if (it.chained) variance += Variance(it.before) / 2;
  }
  const auto n = static_cast<double>(brackets_.size());
  gain_ = sum / n;
  error_ = std::sqrt(variance) / n;
  tried_.back().gain = std::expm1(gain_);
  tried_.back().error = error_;
}

// `last`: there will be no other bracket of this challenger.
void WorkerTrials::Judge(bool last) {
  if (brackets_.empty()) return;
  last = last || brackets_.size() >= kMostBrackets;
  const bool more = counts_.challengers[challenger_] > counts_.start;
  const double sure = last ? kSureAtLast : brackets_.size() == 1 ? kSureAtFirst : kSure;
  if (gain_ > kWorthIt && gain_ > sure * error_) {
    if (std::expm1(gain_) > best_gain_) {
      best_ = counts_.challengers[challenger_];
      best_gain_ = std::expm1(gain_);
    }
    return GoTo(more ? counts_.challengers.size() : challenger_ + 1);
  }
  if (!last && gain_ + sure * error_ >= kWorthIt) return;  // in doubt
  // Where more are a little better, though not worth it, fewer are not.
  if (more && gain_ > error_) return GoTo(counts_.challengers.size());
  Drop();
}

// The challenger is no better.
void WorkerTrials::Drop() {
  const bool more = counts_.challengers[challenger_] > counts_.start;
  GoTo(more ? challenger_ + 1 : counts_.challengers.size());
}

void WorkerTrials::GoTo(size_t challenger) {
  challenger_ = challenger;
  brackets_.clear();
  chained_ = false;
  pending_.reset();
}

void WorkerTrials::Conclude() {
  if (AnyLeft()) Judge(true);
  wanted_ = best_;
  chosen_ = best_;
  over_ = true;
}

}  // namespace consort
