// The trials on machines that never were: what they choose, how long they take, and when they keep
// their hands off.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "adapt_world.h"
#include "tune_surfaces.h"

namespace consort {
namespace {

// What is said of hundreds of machines takes a sanitizer minutes and tells it nothing that one
// machine does not.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kMachines = 20;
#else
constexpr uint64_t kMachines = 300;
#endif

double Uniform(std::mt19937_64& random, double from, double to) {
  return std::uniform_real_distribution<double>(from, to)(random);
}

// Machines of tune's tests, from 2 cores to 4 nodes of 32 with siblings. Models of 0.8 to 400
// segments a second and engine.
struct Machines {
  explicit Machines(uint64_t seed)
      : random(seed),
        surface(seed),
        counts(ListWorkerCounts(surface.machine.usable_cores, surface.machine.usable_cpus)) {
    const double one =
        std::exp(Uniform(random, std::log(0.8), std::log(400))) / surface.Rate({1, 1}, 1);
    world.speed = [this, one](int workers) {
      const auto [known, is_new] = speeds.emplace(workers, 0);
      if (is_new) known->second = surface.Rate({workers, 1}, 1) * one;
      return known->second;
    };
    world.noise = Uniform(random, 0.01, 0.05);
    world.drift = Uniform(random, -0.12, 0.12);
    world.uneven = Uniform(random, 0.03, 0.3);
    world.batch = Uniform(random, 0, 1) < 0.2 ? 4 : 1;
    world.start_s = Uniform(random, 0.02, 0.3);
    world.longest_end_s = Uniform(random, 0.5, 3.5);
  }

  double Best() const {
    double best = world.speed(counts.start);
    for (const int workers : counts.challengers) best = std::max(best, world.speed(workers));
    return best;
  }

  std::mt19937_64 random;
  TuneWorld surface;
  WorkerCounts counts;
  std::map<int, double> speeds;  // by workers, of those that were asked for
  AdaptWorld world;
};

constexpr double kWindowS = WorkerTrials::kWindowNs * 1e-9;
constexpr double kBudgetS = WorkerTrials::kMostWindows * kWindowS;
// Until the first window begins, every worker has given a forward or two.
constexpr double kForwardsS = 25;

TEST(WorkerTrials, LoseAtMostThreePercentOnNineteenOfTwentyMachines) {
  int machines = 0;
  int bad = 0;
  int start_bad = 0;
  double sum = 0;
  double start_sum = 0;
  for (uint64_t seed = 0; seed < kMachines; ++seed) {
    Machines it(seed);
    if (it.counts.challengers.empty()) continue;
    WorkerTrials trials(it.counts);
    const double took_s = AdaptJob(it.world, trials, seed).Run(1000);
    ASSERT_TRUE(trials.chosen()) << seed;
    EXPECT_EQ(trials.wanted(), *trials.chosen());
    EXPECT_LT(took_s, kBudgetS + kForwardsS) << seed;
    const double best = it.Best();
    const double regret = 1 - it.world.speed(*trials.chosen()) / best;
    const double start_regret = 1 - it.world.speed(it.counts.start) / best;
    ++machines;
    bad += regret > 0.03;
    sum += regret;
    start_bad += start_regret > 0.03;
    start_sum += start_regret;
  }
  EXPECT_LE(bad, machines / 20);
  EXPECT_LT(sum / machines, 0.01);
  // It is no child's play: without trials more is lost.
  EXPECT_GT(start_bad, machines / 4);
  EXPECT_GT(start_sum / machines, 0.05);
}

TEST(WorkerTrials, SeldomChangeWhatMakesNoDifference) {
  int machines = 0;
  int changed = 0;
  for (uint64_t seed = 0; seed < kMachines; ++seed) {
    Machines it(seed);
    if (it.counts.challengers.empty()) continue;
    const double flat = it.world.speed(it.counts.start);
    it.world.speed = [flat](int) { return flat; };
    WorkerTrials trials(it.counts);
    AdaptJob(it.world, trials, seed).Run(1000);
    ++machines;
    changed += trials.chosen() != it.counts.start;
  }
  EXPECT_LE(changed, std::max(1, machines / 12));
}

TEST(WorkerTrials, CostLittleOfTheWorkMeanwhile) {
  double lost = 0;
  int machines = 0;
  for (uint64_t seed = 0; seed < kMachines; ++seed) {
    Machines it(seed);
    if (it.counts.challengers.empty()) continue;
    it.world.drift = 0;
    WorkerTrials trials(it.counts);
    AdaptJob job(it.world, trials, seed);
    const double took_s = job.Run(1000);
    lost += 1 - job.done() / (it.world.speed(it.counts.start) * took_s);
    ++machines;
  }
  EXPECT_LT(lost / machines, 0.04);
}

// ---- one machine, by hand ----

// Four cores with siblings, 80 segments a second; so much more with the siblings, so much less or
// more of it with three and two workers.
AdaptWorld FourCores(double eight, double three, double two, double noise = 0.005) {
  AdaptWorld world;
  world.speed = [=](int workers) {
    return 80 * (workers == 8 ? eight : workers == 3 ? three : workers == 2 ? two : 1);
  };
  world.noise = noise;
  world.longest_end_s = 1;
  return world;
}

std::vector<int> Tried(const WorkerTrials& trials) {
  std::vector<int> workers;
  for (const auto& it : trials.tried()) workers.push_back(it.workers);
  return workers;
}

TEST(WorkerTrials, TryNoFewerWhereMoreAreBetter) {
  WorkerTrials trials(ListWorkerCounts(4, 8));
  const double took_s = AdaptJob(FourCores(1.2, 1.5, 1.5), trials, 1).Run(1000);
  EXPECT_EQ(trials.chosen(), 8);
  EXPECT_EQ(Tried(trials), std::vector<int>{8});
  EXPECT_NEAR(trials.gain(), 0.2, 0.03);
  EXPECT_LT(took_s, 5 * kWindowS) << "one look before, one after";
}

TEST(WorkerTrials, TryNoFewerWhereMoreAreALittleBetter) {
  WorkerTrials trials(ListWorkerCounts(4, 8));
  AdaptJob(FourCores(1.02, 1.5, 1.5, 0.001), trials, 1).Run(1000);
  EXPECT_EQ(trials.chosen(), 4);
  EXPECT_EQ(Tried(trials), std::vector<int>{8});
}

TEST(WorkerTrials, TakeHalfOfThemOnlyIfThreeQuartersWereBetter) {
  WorkerTrials uphill(ListWorkerCounts(4, 8));
  AdaptJob(FourCores(0.9, 1.1, 1.25), uphill, 1).Run(1000);
  EXPECT_EQ(uphill.chosen(), 2);
  EXPECT_EQ(Tried(uphill), (std::vector<int>{8, 3, 2}));
  WorkerTrials top(ListWorkerCounts(4, 8));
  AdaptJob(FourCores(0.9, 1.1, 1.05), top, 1).Run(1000);
  EXPECT_EQ(top.chosen(), 3);
  WorkerTrials downhill(ListWorkerCounts(4, 8));
  AdaptJob(FourCores(0.9, 0.9, 1.5), downhill, 1).Run(1000);
  EXPECT_EQ(downhill.chosen(), 4);
  EXPECT_EQ(Tried(downhill), (std::vector<int>{8, 3}));
}

TEST(WorkerTrials, AreSoonOverWhereEverythingElseIsMuchWorse) {
  WorkerTrials trials(ListWorkerCounts(4, 8));
  const double took_s = AdaptJob(FourCores(0.8, 0.75, 0.5), trials, 1).Run(1000);
  EXPECT_EQ(trials.chosen(), 4);
  EXPECT_LT(took_s, 6 * kWindowS);
  for (const auto& it : trials.tried()) EXPECT_EQ(it.windows, 1) << it.workers;
}

TEST(WorkerTrials, AreNotMisledByAMachineThatGrowsSlower) {
  for (const double drift : {-0.4, 0.4}) {
    AdaptWorld world = FourCores(1, 1, 1, 0.001);
    world.drift = drift;
    WorkerTrials trials(ListWorkerCounts(4, 8));
    AdaptJob(world, trials, 1).Run(1000);
    EXPECT_EQ(trials.chosen(), 4) << drift;
  }
}

TEST(WorkerTrials, LeaveAJobAloneThatHasNotEnoughLeft) {
  AdaptWorld world = FourCores(1.5, 1, 1);
  world.segments = 80 * 12.5 * kWindowS;  // after the first window it is less than 12
  WorkerTrials trials(ListWorkerCounts(4, 8));
  AdaptJob job(world, trials, 1);
  job.Run(1000);
  EXPECT_TRUE(trials.tried().empty());
  EXPECT_EQ(trials.wanted(), 4);
}

TEST(WorkerTrials, BeginAnewWhenAWorkerWasLost) {
  AdaptWorld world = FourCores(1.2, 1, 1);
  world.lost_every_s = 8;
  int right = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    WorkerTrials trials(ListWorkerCounts(4, 8));
    const double took_s = AdaptJob(world, trials, seed).Run(1000);
    EXPECT_LT(took_s, kBudgetS + kForwardsS);
    EXPECT_TRUE(trials.chosen() == 8 || trials.chosen() == 4);
    right += trials.chosen() == 8;
  }
  EXPECT_GE(right, 8) << "most windows are cut short by a loss";
}

TEST(WorkerTrials, OfAModelThatIsTooSlowAreNone) {
  AdaptWorld world = FourCores(1.2, 1, 1);
  world.speed = [](int) { return 0.2; };  // 20 s a segment
  WorkerTrials trials(ListWorkerCounts(4, 8));
  AdaptJob(world, trials, 1).Run(1000);
  EXPECT_EQ(trials.chosen(), 4);
  EXPECT_TRUE(trials.tried().empty());
}

// ---- told by hand ----

class ByHand : public testing::Test {
 protected:
  // Results of all workers that are wanted, for so long.
  void Work(double seconds,
            WorkerTrials::Sight sight = {.settled = true, .calm = true, .segments_left = 1e9}) {
    for (const int64_t end = now_ + static_cast<int64_t>(seconds * 1e9); now_ < end;) {
      now_ += 10'000'000;
      const int64_t every = per_slot_ms_.at(trials_->wanted()) * 1'000'000;
      for (int slot = 0; slot < trials_->wanted(); ++slot) {
        if (now_ % every == 0) trials_->Result(static_cast<size_t>(slot), now_, true);
      }
      if (now_ % 100'000'000 == 0) trials_->Look(sight, now_);
    }
  }

  // The start's first window and a moment more, until it is the challenger's turn.
  void WorkUntilEight() {
    for (int i = 0; i < 60 && trials_->wanted() != 8; ++i) Work(0.1);
    ASSERT_EQ(trials_->wanted(), 8);
  }

  int64_t now_ = 1'000'000'000;
  // Of each worker, from result to result, by how many are wanted.
  std::map<int, int64_t> per_slot_ms_ = {{8, 60}, {4, 50}, {3, 50}, {2, 50}};
  std::optional<WorkerTrials> trials_{ListWorkerCounts(4, 8)};
};

TEST_F(ByHand, WaitsUntilAllThatAreWantedRun) {
  Work(30, {.settled = false, .calm = true, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 4);
  WorkUntilEight();
  Work(2 * kWindowS, {.settled = false, .calm = true, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 8) << "the others may take their time";
  Work(2 * kWindowS, {.settled = false, .calm = true, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 4) << "though not for ever";
}

// A worker that is too many may hold two tasks of two seconds, whatever a window is.
TEST_F(ByHand, WaitsForTwoTasksHoweverShortAWindowIs) {
  trials_.emplace(ListWorkerCounts(4, 4), 1'000'000'000);
  for (int i = 0; i < 60 && trials_->wanted() != 3; ++i) Work(0.1);
  ASSERT_EQ(trials_->wanted(), 3);
  Work(4.5, {.settled = false, .calm = true, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 3);
}

// Others would have to decode what its engine has behind it.
TEST_F(ByHand, TakesNoWorkerFromAFileThatIsDecodedInOnePass) {
  const WorkerTrials::Sight bound = {
      .settled = true, .calm = true, .bound = true, .segments_left = 1e9};
  trials_.emplace(ListWorkerCounts(4, 4));
  for (int i = 0; i < 120; ++i) {
    Work(0.1, bound);
    ASSERT_EQ(trials_->wanted(), 4);
  }
  for (int i = 0; i < 60 && trials_->wanted() != 3; ++i) Work(0.1);
  ASSERT_EQ(trials_->wanted(), 3);
  Work(0.1, bound);
  EXPECT_EQ(trials_->wanted(), 4);
  EXPECT_FALSE(trials_->over());
}

TEST_F(ByHand, TriesMoreWhileAFileIsDecodedInOnePass) {
  const WorkerTrials::Sight bound = {
      .settled = true, .calm = true, .bound = true, .segments_left = 1e9};
  for (int i = 0; i < 60 && trials_->wanted() != 8; ++i) Work(0.1, bound);
  EXPECT_EQ(trials_->wanted(), 8);
}

TEST_F(ByHand, GoesBackToTheStartWhileSuspectsAreOnTrial) {
  WorkUntilEight();
  Work(2);
  ASSERT_EQ(trials_->wanted(), 8);
  Work(0.1, {.settled = true, .calm = false, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 4);
  Work(20, {.settled = true, .calm = false, .segments_left = 1e9});
  EXPECT_EQ(trials_->wanted(), 4);
  EXPECT_FALSE(trials_->over());
  WorkUntilEight();  // once more, as nothing was learnt
}

TEST_F(ByHand, EndsInTimeWhateverComes) {
  WorkUntilEight();
  for (int i = 0; i < 70; ++i) {
    trials_->Disturbed();
    Work(1);
  }
  EXPECT_TRUE(trials_->over());
  EXPECT_EQ(trials_->chosen(), 4);
}

TEST_F(ByHand, StaysAsItIsOnceStopped) {
  WorkUntilEight();
  trials_->Stop();
  trials_->Disturbed();
  Work(100);
  EXPECT_EQ(trials_->wanted(), 8);
  EXPECT_FALSE(trials_->chosen());
}

TEST_F(ByHand, GivesBackWhatIsMoreThanAtTheStart) {
  WorkUntilEight();
  EXPECT_TRUE(trials_->GiveBack());
  EXPECT_EQ(trials_->wanted(), 4);
  EXPECT_FALSE(trials_->GiveBack());
  Work(100);
  EXPECT_EQ(trials_->wanted(), 4);
}

TEST_F(ByHand, GivesBackWhatWasChosen) {
  WorkerTrials trials(ListWorkerCounts(4, 8));
  AdaptJob(FourCores(1.2, 1, 1), trials, 1).Run(1000);
  ASSERT_EQ(trials.chosen(), 8);
  EXPECT_TRUE(trials.GiveBack());
  EXPECT_EQ(trials.chosen(), 4);
  EXPECT_EQ(trials.wanted(), 4);
  EXPECT_FALSE(trials.GiveBack());
}

// Were it to stay, the job would go on with half of its workers for one moment without memory.
TEST_F(ByHand, HasNoWorkerLessForATrialOfFewer) {
  trials_.emplace(ListWorkerCounts(4, 4));
  for (int i = 0; i < 60 && trials_->wanted() != 3; ++i) Work(0.1);
  ASSERT_EQ(trials_->wanted(), 3);
  EXPECT_FALSE(trials_->GiveBack()) << "no more than at the start";
  EXPECT_EQ(trials_->wanted(), 4);
  EXPECT_TRUE(trials_->over());
  EXPECT_FALSE(trials_->chosen());
}

TEST_F(ByHand, KeepsFewerThatWereFoundToBeBetterBeforeMemoryWasShort) {
  trials_.emplace(ListWorkerCounts(4, 4));
  per_slot_ms_ = {{4, 80}, {3, 50}, {2, 50}};
  for (int i = 0; i < 600 && trials_->wanted() != 2; ++i) Work(0.1);
  ASSERT_EQ(trials_->wanted(), 2);
  EXPECT_FALSE(trials_->GiveBack());
  EXPECT_EQ(trials_->wanted(), 3);
  EXPECT_EQ(trials_->chosen(), 3) << "so that it is told";
  EXPECT_GT(trials_->gain(), 0.1);
  EXPECT_FALSE(trials_->GiveBack());
  EXPECT_EQ(trials_->wanted(), 3);
}

TEST_F(ByHand, HasNothingToGiveBackAtTheStart) {
  Work(1);
  EXPECT_FALSE(trials_->GiveBack());
  EXPECT_EQ(trials_->wanted(), 4);
  EXPECT_TRUE(trials_->over());
}

}  // namespace
}  // namespace consort
