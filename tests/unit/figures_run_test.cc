// Figures of made-up runs: a clock of our own, engines of known speed, deaths, bursts, silence.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "supervisor/figures/run_figures.h"

namespace consort {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;
constexpr int64_t kStart = 50 * kSecond;

// A fleet of `workers` × `engines`. Each engine does a forward of `batch` segments in forward_ns,
// give or take; the supervisor looks at the rings every look_ns.
struct World {
  size_t workers = 2;
  uint32_t engines = 2;
  uint64_t batch = 1;
  int64_t forward_ns = 100 * kMs;
  int64_t look_ns = kMs;
  double noise = 0;
  int64_t ready_ns = kSecond;  // after the start; each worker 50 ms after the one before
  size_t silent = SIZE_MAX;    // this worker's engines never publish
  std::optional<int64_t> measure_ns = {};
};

class MadeUpRun {
 public:
  explicit MadeUpRun(const World& world) : world_(world), figures_(world.measure_ns, kStart) {
    figures_.Begin(
        {.split = {static_cast<int>(world.workers), static_cast<int>(world.engines), 1, 8},
         .batch = world.batch,
         .totals = [this] { return totals_; },
         .templates = [] { return std::vector<pid_t>{}; },
         .all_ready = [this] { return alive() == world_.workers; }});
    places_.resize(world.workers);
    for (size_t slot = 0; slot < world.workers; ++slot) {
      places_[slot].ready_at = kStart + world.ready_ns + static_cast<int64_t>(slot) * 50 * kMs;
    }
  }

  // True: the window ended.
  bool Until(int64_t end_ns) {
    for (; now_ < end_ns; now_ += world_.look_ns) {
      Look();
      if (now_ % (100 * kMs) < world_.look_ns) figures_.Tick(now_);
      if (figures_.Measured(now_)) return true;
    }
    return false;
  }

  void Kill(size_t slot, int64_t ready_after_ns) {
    auto& place = places_[slot];
    figures_.Gone(place.worker, std::vector<bool>(world_.engines, true), true, now_);
    place.worker = 0;
    place.ready_at = now_ + ready_after_ns;
  }

  const Figures& Close(bool whole = true) {
    figures_.End(now_);
    return figures_.Close(whole ? 0 : 130, whole, now_);
  }

  RunFigures& figures() { return figures_; }
  int64_t now() const { return now_; }
  uint64_t published() const { return published_; }
  FiguresTotals& totals() { return totals_; }

 private:
  struct Engine {
    int64_t done_at = 0;
    uint64_t next = 0;
  };
  struct Place {
    int64_t ready_at = 0;
    uint64_t worker = 0;  // 0: none
    std::vector<Engine> engines;
  };

  size_t alive() const {
    return static_cast<size_t>(
        std::ranges::count_if(places_, [](const Place& place) { return place.worker != 0; }));
  }

  int64_t Forward() {
    const double factor = std::normal_distribution<>(1, world_.noise)(random_);
    return std::max<int64_t>(
        1, static_cast<int64_t>(static_cast<double>(world_.forward_ns) * std::max(0.1, factor)));
  }

  void Look() {
    for (size_t slot = 0; slot < places_.size(); ++slot) {
      auto& place = places_[slot];
      if (place.worker == 0 && now_ >= place.ready_at) {
        place.worker = next_worker_++;
        figures_.Ready(place.worker, slot, world_.engines, getpid(), now_);
        place.engines.clear();
        for (uint32_t engine = 0; engine < world_.engines; ++engine) {
          place.engines.push_back({.done_at = now_ + Forward(), .next = 0});
          figures_.Given(place.worker, engine, now_);
        }
      }
      if (place.worker == 0 || slot == world_.silent) continue;
      for (uint32_t engine = 0; engine < world_.engines; ++engine) {
        auto& it = place.engines[engine];
        while (it.done_at <= now_) {
          for (uint64_t i = 0; i < world_.batch; ++i) {
            totals_.audio_seconds += 3;
            ++published_;
            figures_.Segment(place.worker, engine, place.worker * 100 + engine, it.next++,
                             world_.forward_ns, now_);
          }
          it.done_at += Forward();
        }
      }
    }
  }

  World world_;
  RunFigures figures_;
  FiguresTotals totals_;
  std::vector<Place> places_;
  int64_t now_ = kStart;
  uint64_t next_worker_ = 1;
  uint64_t published_ = 0;
  std::mt19937_64 random_{1};
};

double Truth(const World& world) {
  return static_cast<double>(world.workers * world.engines * world.batch) * 1e9 /
         static_cast<double>(world.forward_ns);
}

struct Case {
  const char* name;
  World world;
};
void PrintTo(const Case& it, std::ostream* out) { *out << it.name; }

class Rates : public testing::TestWithParam<Case> {};

TEST_P(Rates, AreThoseOfTheEngines) {
  World world = GetParam().world;
  world.measure_ns = 5 * kSecond;
  MadeUpRun run(world);
  ASSERT_TRUE(run.Until(kStart + 60 * kSecond));
  const Figures& figures = run.Close();
  EXPECT_TRUE(figures.complete);
  ASSERT_TRUE(figures.per_second);
  // Of n forwards an engine the mean is within noise ÷ √n; a look's length at both ends.
  EXPECT_NEAR(*figures.per_second, Truth(world), Truth(world) * (0.002 + world.noise / 8));
  const auto plain = static_cast<double>(figures.counted) / figures.window->seconds();
  const double one_burst =
      Truth(world) * static_cast<double>(world.forward_ns + world.look_ns) / 5e9;
  EXPECT_NEAR(plain, Truth(world), one_burst + Truth(world) * world.noise);
  EXPECT_NEAR(figures.audio_seconds, 3.0 * static_cast<double>(figures.counted), 1e-6);
  EXPECT_NEAR(figures.window->seconds(), 5, 1e-9 * static_cast<double>(world.look_ns) + 1e-9);
}

INSTANTIATE_TEST_SUITE_P(
    Each, Rates,
    testing::Values(
        Case{"plain", {}}, Case{"one engine", {.workers = 1, .engines = 1, .forward_ns = 33 * kMs}},
        Case{"slow", {.forward_ns = 900 * kMs}},
        Case{"batches", {.batch = 8, .forward_ns = 300 * kMs}},
        Case{"faster than looks", {.forward_ns = kMs / 50, .look_ns = 10 * kMs}},
        Case{"uneven", {.workers = 3, .engines = 4, .forward_ns = 40 * kMs, .noise = 0.2}},
        Case{"many", {.workers = 16, .engines = 4, .forward_ns = 77 * kMs, .noise = 0.05}}),
    [](const testing::TestParamInfo<Case>& it) {
      std::string name = it.param.name;
      std::ranges::replace(name, ' ', '_');
      return name;
    });

TEST(RunFigures, CountNothingUntilEveryEngineHasPublished) {
  MadeUpRun run({.workers = 4, .engines = 1, .forward_ns = 300 * kMs, .measure_ns = kSecond});
  // The last worker is ready at 1.15 s.
  ASSERT_FALSE(run.Until(kStart + 1440 * kMs));
  EXPECT_GT(run.published(), 0U);
  EXPECT_FALSE(run.figures().window_end_ns());
  ASSERT_TRUE(run.Until(kStart + 10 * kSecond));
  const Figures& figures = run.Close();
  EXPECT_EQ(figures.window->from_ns, kStart + 1450 * kMs);
  EXPECT_EQ(figures.ready_ns, kStart + 1150 * kMs);
  EXPECT_EQ(figures.counted, 12U) << "four engines, three each";
}

TEST(RunFigures, WaitForAnEngineThatIsSilentForEver) {
  MadeUpRun run({.silent = 1, .measure_ns = kSecond});
  EXPECT_FALSE(run.Until(kStart + 30 * kSecond));
  const Figures& figures = run.Close();
  EXPECT_FALSE(figures.complete);
  EXPECT_FALSE(figures.window);
  EXPECT_FALSE(figures.per_second);
  EXPECT_EQ(figures.counted, 0U);
  EXPECT_GT(run.published(), 0U);
}

TEST(RunFigures, OfAListThatEndsTooSoonAreOfWhatWasCounted) {
  MadeUpRun run({.measure_ns = 10 * kSecond});
  EXPECT_FALSE(run.Until(kStart + 5 * kSecond));
  const Figures& figures = run.Close();
  EXPECT_FALSE(figures.complete);
  EXPECT_NEAR(figures.per_second.value(), 40, 0.1);
  EXPECT_GT(figures.counted, 100U);
}

TEST(RunFigures, OfAWholeJobGoFromItsFirstResultToItsLast) {
  MadeUpRun run({.workers = 1, .engines = 1});
  run.Until(kStart + 4 * kSecond);
  run.totals().stage_ns[static_cast<size_t>(Stage::kForward)] = 60 * 30 * kMs;
  run.totals().segments_timed = 60;
  const Figures& figures = run.Close();
  EXPECT_TRUE(figures.complete);
  EXPECT_EQ(figures.window->from_ns, kStart + 1100 * kMs);
  EXPECT_EQ(figures.window->to_ns, kStart + 3900 * kMs);
  EXPECT_EQ(figures.counted, run.published());
  EXPECT_EQ(figures.counted, 29U);
  EXPECT_NEAR(figures.audio_seconds, 87, 1e-9);
  EXPECT_NEAR(figures.per_second.value(), 10, 1e-9);
  EXPECT_NEAR(figures.stage_ms.value()[static_cast<size_t>(Stage::kForward)], 30, 1e-9);
  EXPECT_NEAR(figures.latency.Quantile(0.5), 100 * kMs, kMs);
}

TEST(RunFigures, AJobThatIsStoppedIsNotWhole) {
  MadeUpRun run({});
  run.Until(kStart + 4 * kSecond);
  run.figures().Stopping(run.now());
  run.Until(kStart + 5 * kSecond);
  const Figures& figures = run.Close(false);
  EXPECT_FALSE(figures.complete);
  EXPECT_EQ(figures.exit_status, 130);
  EXPECT_EQ(figures.counted, run.published()) << "what was in flight counts, too";
}

TEST(RunFigures, StoppedWhileTheyMeasureCountNoMore) {
  MadeUpRun run({.measure_ns = 2 * kSecond});
  run.Until(kStart + 2 * kSecond);
  run.figures().Stopping(run.now());
  const uint64_t before = run.published();
  EXPECT_FALSE(run.Until(kStart + 10 * kSecond));
  const Figures& figures = run.Close(false);
  EXPECT_FALSE(figures.complete);
  EXPECT_LE(figures.counted, before);
  EXPECT_EQ(figures.window->to_ns, kStart + 2 * kSecond);
}

TEST(RunFigures, TellWhatADeathCost) {
  MadeUpRun run({.workers = 2, .engines = 2, .measure_ns = 5 * kSecond});
  // Worker 1 publishes 50 ms after worker 0's hundreds.
  run.Until(kStart + 3020 * kMs);
  run.Kill(0, 30 * kMs);
  ASSERT_TRUE(run.Until(kStart + 20 * kSecond));
  const Figures& figures = run.Close();
  ASSERT_EQ(figures.deaths.size(), 1U);
  const auto& death = figures.deaths.front();
  EXPECT_EQ(death.at_ns, kStart + 3020 * kMs);
  EXPECT_EQ(death.slot, 0U);
  EXPECT_EQ(death.lost_ns, 2 * 20 * kMs) << "two engines, 20 ms after their last results";
  EXPECT_EQ(death.ready_ns.value() - death.at_ns, 30 * kMs);
  EXPECT_EQ(death.next_result_ns.value() - death.at_ns, 130 * kMs);
  // It lost 150 ms of two engines in five seconds.
  EXPECT_NEAR(figures.per_second.value(), 40 - 2 * 10 * 0.15 / 5 + 0.4, 0.5);
  EXPECT_LT(figures.per_second.value(), 40);
}

TEST(RunFigures, KnowDeathsWithoutAnEnd) {
  MadeUpRun run({.workers = 2, .engines = 1});
  run.Until(kStart + 3 * kSecond);
  run.Kill(1, 50 * kMs);
  run.Until(run.now() + 70 * kMs);
  run.Kill(1, 1000 * kSecond);
  run.Until(kStart + 10 * kSecond);
  const Figures& figures = run.Close();
  ASSERT_EQ(figures.deaths.size(), 2U);
  EXPECT_EQ(figures.deaths[0].ready_ns.value() - figures.deaths[0].at_ns, 50 * kMs);
  EXPECT_FALSE(figures.deaths[0].next_result_ns);
  EXPECT_EQ(figures.deaths[1].lost_ns, 20 * kMs) << "since it was given something";
  EXPECT_FALSE(figures.deaths[1].ready_ns);
  // One engine to the end, one for two seconds of nine.
  EXPECT_NEAR(figures.per_second.value(), 10 + 10 * 2.0 / 9, 0.3);
}

TEST(RunFigures, AWorkerThatWasReplacedIsNoDeath) {
  MadeUpRun run({});
  run.Until(kStart + 3 * kSecond);
  run.figures().Gone(1, {false, false}, false, run.now());
  run.figures().Gone(77, {true}, true, run.now());  // that never was ready
  EXPECT_TRUE(run.Close().deaths.empty());
}

TEST(RunFigures, OfDeathsWithoutEndKeepTheFirstThousand) {
  MadeUpRun run({.workers = 1, .engines = 1});
  run.Until(kStart + 2 * kSecond);
  for (int i = 0; i < 3000; ++i) {
    run.Kill(0, 0);
    run.Until(run.now() + kMs);
  }
  EXPECT_EQ(run.Close().deaths.size(), 1000U);
}

TEST(RunFigures, HaveASpreadOnceThereAreSlicesEnough) {
  const auto spread = [](World world) {
    MadeUpRun run(world);
    EXPECT_TRUE(run.Until(kStart + 60 * kSecond));
    return run.Close().spread;
  };
  EXPECT_FALSE(spread({.forward_ns = 900 * kMs, .measure_ns = 5 * kSecond})) << "five each";
  EXPECT_NEAR(spread({.measure_ns = 5 * kSecond}).value(), 0, 0.002);
  // n forwards of 4 engines, each with this noise.
  const double noise = 0.3;
  const double truth = noise / std::sqrt(4 * 20 * kSecond / (100 * kMs));
  EXPECT_NEAR(spread({.noise = noise, .measure_ns = 20 * kSecond}).value(), truth, truth / 2);
}

TEST(RunFigures, OfMemoryAreThePeakOfAllAndTheMeanOfTheWindow) {
  MadeUpRun run({.measure_ns = 2 * kSecond});
  run.figures().Memory(900, kStart);  // before the window
  run.Until(kStart + 2 * kSecond);
  run.figures().Memory(100, run.now());
  run.figures().Memory(300, run.now() + 250 * kMs);
  ASSERT_TRUE(run.Until(kStart + 9 * kSecond));
  run.figures().Memory(500, run.now());
  const Figures& figures = run.Close();
  EXPECT_EQ(figures.peak_pss_bytes, 900);
  EXPECT_EQ(figures.mean_pss_bytes, 200);
  EXPECT_EQ(figures.memory.points().size(), 4U);
}

TEST(RunFigures, OfTwoLoopsAreOfBothWithoutWhatWasThereBefore) {
  FiguresTotals totals{.audio_seconds = 1000, .stage_ns = {}, .segments_timed = 500};
  RunFigures figures(std::nullopt, kStart);
  for (const int64_t begin : {kStart, kStart + 10 * kSecond}) {
    figures.Begin({.split = {1, 1, 1, 1},
                   .batch = 1,
                   .totals = [&totals] { return totals; },
                   .templates = [] { return std::vector<pid_t>{}; },
                   .all_ready = [] { return true; }});
    figures.Ready(1, 0, 1, getpid(), begin);
    for (int64_t i = 1; i <= 5; ++i) {
      totals.audio_seconds += 2;
      ++totals.segments_timed;
      totals.stage_ns.back() += 7 * kMs;
      figures.Segment(1, 0, 0, static_cast<uint64_t>(i), 5, begin + i * kSecond);
    }
    figures.Restarts({.crashed = 1, .killed = 2, .replaced = 3}, {});
    figures.End(begin + 5 * kSecond);
    totals = {};  // the next loop's dispatcher begins anew
  }
  const Figures& closed = figures.Close(3, true, kStart + 15 * kSecond);
  EXPECT_EQ(closed.counted, 10U);
  EXPECT_NEAR(closed.audio_seconds, 20, 1e-9);
  EXPECT_NEAR(closed.stage_ms.value().back(), 7, 1e-9);
  EXPECT_EQ(closed.workers_restarted.killed, 4U);
  EXPECT_EQ(closed.window->to_ns, kStart + 15 * kSecond);
  EXPECT_EQ(closed.rate.points().back().value, 10);
}

}  // namespace
}  // namespace consort
