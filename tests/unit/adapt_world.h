// A job on a machine that never was, in time of its own: engines give segments as fast as the
// machine lets so many of them, and the trials decide how many there are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include "supervisor/adapt/worker_trials.h"

namespace consort {

struct AdaptWorld {
  // Segments a second of so many workers together, were the machine always as it was at first.
  std::function<double(int)> speed;
  double noise = 0;          // of the machine's speed: standard deviation of its mean over 4 s
  double drift = 0;          // its change over a minute, steady
  double uneven = 0.1;       // standard deviation of a segment's work, relative
  int batch = 1;             // segments of a forward
  double start_s = 0.1;      // until a worker that is asked for is ready
  double longest_end_s = 3;  // until one that is to go has finished what it has
  double segments = 1e12;    // of the whole job
  double lost_every_s = 0;   // a worker dies as often, on average; 0: never
};

class AdaptJob {
 public:
  AdaptJob(const AdaptWorld& world, WorkerTrials& trials, uint64_t seed)
      : world_(world), trials_(trials), random_(seed), left_(world.segments) {
    next_loss_s_ = LossAfter(0);
  }

  // Until it is over, or so many seconds have passed. The seconds that it took.
  double Run(double longest_s) {
    constexpr double kLookS = 0.1;
    constexpr double kStepS = 0.02;
    for (; now_s_ < longest_s && !trials_.over() && left_ > 0; now_s_ += kStepS) {
      Weather(kStepS);
      Staff();
      Work(kStepS);
      if (now_s_ < next_look_s_) continue;
      next_look_s_ = now_s_ + kLookS;
      const bool settled = std::ranges::all_of(
          engines_, [](const Engine& it) { return it.state == Engine::State::kWorks; });
      trials_.Look({.settled = settled && static_cast<int>(engines_.size()) == trials_.wanted(),
                    .calm = true,
                    .segments_left = left_},
                   Ns(now_s_));
    }
    return now_s_;
  }

  double now_s() const { return now_s_; }
  double done() const { return world_.segments - left_; }

 private:
  struct Engine {
    enum class State { kStarts, kWorks, kEnds } state = State::kStarts;
    double until_s = 0;  // of the state, unless it works
    double work = 1;     // of the forward under way that is left, in segments of usual size
  };

  static int64_t Ns(double s) { return static_cast<int64_t>(s * 1e9) + 1'000'000'000; }
  double Normal() { return normal_(random_); }
  double Uniform(double to) { return std::uniform_real_distribution<double>(0, to)(random_); }
  double LossAfter(double s) {
    if (world_.lost_every_s <= 0) return 1e300;
    return s + std::exponential_distribution<double>(1 / world_.lost_every_s)(random_);
  }
  double ForwardWork() {
    return std::max(0.1, world_.batch * (1 + world_.uneven * Normal() / std::sqrt(world_.batch)));
  }

  // Half of the noise is over within a fraction of a second, half lasts for seconds.
  void Weather(double step_s) {
    const auto go = [&](double& it, double lasts_s) {
      const double kept = std::exp(-step_s / lasts_s);
      it = kept * it + std::sqrt(1 - kept * kept) * Normal();
    };
    go(fast_, kFastS);
    go(slow_, kSlowS);
    level_ = std::exp(world_.noise * (kFastScale * fast_ + kSlowScale * slow_)) *
             (1 + world_.drift * now_s_ / 60);
  }

  void Staff() {
    const auto wanted = static_cast<size_t>(trials_.wanted());
    for (size_t slot = 0; slot < engines_.size(); ++slot) {
      Engine& it = engines_[slot];
      if (it.state == Engine::State::kStarts && now_s_ >= it.until_s) {
        it.state = Engine::State::kWorks;
        it.work = ForwardWork();
      }
      if (slot >= wanted && it.state == Engine::State::kWorks) {
        it.state = Engine::State::kEnds;
        it.until_s = now_s_ + Uniform(world_.longest_end_s);
      }
    }
    while (engines_.size() < wanted) {
      engines_.push_back({.state = Engine::State::kStarts, .until_s = now_s_ + world_.start_s});
    }
    while (engines_.size() > wanted && now_s_ >= engines_.back().until_s) engines_.pop_back();
    if (now_s_ < next_loss_s_) return;
    next_loss_s_ = LossAfter(now_s_);
    engines_[random_() % engines_.size()] = {.state = Engine::State::kStarts,
                                             .until_s = now_s_ + world_.start_s};
    trials_.Disturbed();
  }

  void Work(double step_s) {
    const auto busy = static_cast<int>(std::ranges::count_if(
        engines_, [](const Engine& it) { return it.state != Engine::State::kStarts; }));
    if (busy == 0) return;
    const double a_second = world_.speed(busy) / busy * level_;
    for (size_t slot = 0; slot < engines_.size(); ++slot) {
      Engine& it = engines_[slot];
      if (it.state == Engine::State::kStarts) continue;
      double left_s = step_s;
      while (it.work <= left_s * a_second) {
        left_s -= it.work / a_second;
        it.work = ForwardWork();
        for (int k = 0; k < world_.batch; ++k) {
          trials_.Result(slot, Ns(now_s_ + step_s - left_s), k == 0);
        }
        left_ -= world_.batch;
      }
      it.work -= left_s * a_second;
    }
  }

  // So that each half's mean over 4 s varies by 0.7.
  static constexpr double kFastS = 0.2;
  static constexpr double kSlowS = 3;
  static double MeanOver(double window_s, double lasts_s) {
    const double x = window_s / lasts_s;
    return std::sqrt(2 / x * (1 - (1 - std::exp(-x)) / x));
  }
  const double kFastScale = std::sqrt(0.5) / MeanOver(4, kFastS);
  const double kSlowScale = std::sqrt(0.5) / MeanOver(4, kSlowS);

  const AdaptWorld world_;
  WorkerTrials& trials_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  std::vector<Engine> engines_;
  double now_s_ = 0;
  double next_look_s_ = 0;
  double next_loss_s_ = 0;
  double left_;
  double fast_ = 0;
  double slow_ = 0;
  double level_ = 1;
};

}  // namespace consort
