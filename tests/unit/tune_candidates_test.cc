#include <gtest/gtest.h>

#include <algorithm>

#include "supervisor/tune/candidates.h"
#include "tune_surfaces.h"

namespace consort {
namespace {

using Objective = TuneOptions::Objective;

constexpr MemoryNeed kNeed{.weights_bytes = 100 << 20,
                           .common_bytes = 32 << 20,
                           .template_bytes = 160 << 20,
                           .engine_bytes = 48 << 20};

std::vector<Candidate> List(const Machine& machine, Objective objective = Objective::kThroughput) {
  return ListCandidates(machine, kNeed, objective, ChooseSplit(machine, {}, {}));
}

bool Has(const std::vector<Candidate>& all, int workers, int engines, int intra = 1) {
  return std::ranges::any_of(all, [&](const Candidate& it) {
    return it.split.workers == workers && it.split.engines == engines && it.intra == intra;
  });
}

TEST(Candidates, BeginWithTheAutomaticSplitAndListNoneTwice) {
  for (const auto& machine :
       {MakeMachine(1, 1, 1), MakeMachine(1, 2, 2), MakeMachine(3, 10, 1), MakeMachine(4, 32, 2)}) {
    for (const auto objective : {Objective::kThroughput, Objective::kLatency, Objective::kMemory}) {
      const auto all = List(machine, objective);
      ASSERT_FALSE(all.empty());
      EXPECT_EQ(all[0].split.workers, machine.usable_cores);
      EXPECT_EQ(all[0].split.engines, 1);
      for (size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].automatic, i == 0);
        for (size_t k = 0; k < i; ++k) {
          EXPECT_FALSE(all[i].split.workers == all[k].split.workers &&
                       all[i].split.engines == all[k].split.engines && all[i].intra == all[k].intra)
              << ShortSplitWords(all[i].split, all[i].intra);
        }
      }
    }
  }
}

TEST(Candidates, OfTwoCoresAreEverySplitOfOneToFourThreads) {
  const auto all = List(MakeMachine(1, 2, 1));
  for (const auto& [workers, engines] :
       {std::pair(1, 1), {1, 2}, {2, 1}, {1, 3}, {3, 1}, {1, 4}, {2, 2}, {4, 1}}) {
    EXPECT_TRUE(Has(all, workers, engines)) << workers << " x " << engines;
  }
}

TEST(Candidates, HaveNoProcessThatWouldSpanNodes) {
  const Machine machine = MakeMachine(4, 16, 2);
  const auto all = List(machine);
  for (const Candidate& it : all) {
    EXPECT_LE(it.split.engines, 32);
    if (it.split.workers > 4) {
      EXPECT_EQ(it.split.workers % 4, 0) << "nodes are not loaded alike";
    }
  }
  EXPECT_TRUE(Has(all, 64, 1));
  EXPECT_TRUE(Has(all, 128, 1)) << "every CPU";
  EXPECT_TRUE(Has(all, 4, 16)) << "a process a node";
  EXPECT_TRUE(Has(all, 4, 32));
  EXPECT_LT(all.size(), 100U) << "each costs seconds";
}

TEST(Candidates, HaveLibTorchThreadsWhereLatencyCounts) {
  const Machine machine = MakeMachine(1, 8, 1);
  const auto latency = List(machine, Objective::kLatency);
  EXPECT_TRUE(Has(latency, 1, 1, 8));
  EXPECT_TRUE(Has(latency, 4, 1, 2));
  EXPECT_TRUE(Has(latency, 1, 1));
  EXPECT_TRUE(std::ranges::all_of(
      latency, [](const Candidate& it) { return it.intra == 1 || it.engines() * it.intra <= 8; }));
  const auto throughput = List(machine);
  EXPECT_TRUE(std::ranges::all_of(throughput, [](const Candidate& it) { return it.intra == 1; }));
}

TEST(Candidates, AreGuessedToBeFasterWithMoreCoresAndToTakeMoreMemory) {
  const Machine machine = MakeMachine(1, 8, 2);
  const auto all = List(machine);
  const auto of = [&](int workers, int engines) {
    return *std::ranges::find_if(all, [&](const Candidate& it) {
      return it.split.workers == workers && it.split.engines == engines;
    });
  };
  EXPECT_GT(of(8, 1).rate, 1.8 * of(4, 1).rate);
  EXPECT_GT(of(16, 1).rate, of(8, 1).rate) << "siblings add something";
  EXPECT_GT(of(16, 1).rate, of(24, 1).rate) << "crowding costs something";
  EXPECT_GT(of(16, 1).peak_bytes, of(8, 1).peak_bytes);
  EXPECT_GT(of(8, 1).peak_bytes, of(1, 8).peak_bytes);
}

TEST(Candidates, AreNamedInWords) {
  EXPECT_EQ(SplitWords({2, 1}, 1), "2 processes x 1 thread");
  EXPECT_EQ(SplitWords({1, 3}, 2), "1 process x 3 threads x 2 LibTorch threads");
  EXPECT_EQ(ShortSplitWords({1, 2}, 1), "1 x 2");
  EXPECT_EQ(ShortSplitWords({1, 2}, 4), "1 x 2 x 4");
}

}  // namespace
}  // namespace consort
