// When a worker, or all of them together, have too much memory.
#include <gtest/gtest.h>

#include "supervisor/memory/tree_memory.h"
#include "supervisor/memory/worker_memory.h"

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kMiB = 1 << 20;

class Workers : public testing::Test {
 protected:
  using Verdict = WorkerMemory::Verdict;
  static constexpr uint64_t kWorker = 5;

  explicit Workers(int64_t limit_mib = 800)
      : memory_(limit_mib * kMiB, "--worker-memory-limit 800M") {
    memory_.Ready(kWorker, 0);
  }
  // As the sampler does it: private memory is known where it is asked for.
  Verdict At(double seconds, int64_t anonymous_mib, int64_t shared_mib, uint64_t segments = 1) {
    MemorySample::OfWorker sample{.worker = kWorker, .anonymous_bytes = anonymous_mib * kMiB};
    exact_ = sample.anonymous_bytes > memory_.ExactAbove(kWorker);
    if (exact_) sample.private_bytes = (anonymous_mib - shared_mib) * kMiB;
    return memory_.Judge(sample, segments, static_cast<int64_t>(seconds * 1e9), words_);
  }

  WorkerMemory memory_;
  std::string words_;
  bool exact_ = false;
};

TEST_F(Workers, BelowTheLimitAreLeftAlone) {
  EXPECT_EQ(At(1, 800, 0), Verdict::kFine);
  EXPECT_FALSE(exact_);
}

TEST_F(Workers, AreNotChargedWhatTheyShareWithTheTemplate) {
  EXPECT_EQ(At(1, 900, 200), Verdict::kFine);
  EXPECT_TRUE(exact_);
  EXPECT_EQ(At(2, 950, 200), Verdict::kFine);
  EXPECT_FALSE(exact_) << "it has 100 MiB to grow until it can be above the limit";
  EXPECT_EQ(At(3, 1001, 200), Verdict::kReplace);
}

TEST_F(Workers, AboveTheLimitAreReplacedAndThatIsSaidOnce) {
  EXPECT_EQ(At(1, 900, 0), Verdict::kReplace);
  EXPECT_EQ(words_, "used 900 MiB of private memory, more than --worker-memory-limit 800M");
  EXPECT_EQ(At(2, 910, 0), Verdict::kFine);
}

TEST_F(Workers, ThatGrowOnAreEnded) {
  EXPECT_EQ(At(1, 900, 0), Verdict::kReplace);
  EXPECT_EQ(At(2, 1200, 0), Verdict::kFine);
  EXPECT_EQ(At(3, 1201, 0), Verdict::kEnd);
}

TEST_F(Workers, ThatGrowFastAreEndedAtOnce) { EXPECT_EQ(At(1, 2000, 0), Verdict::kEnd); }

// Segments may take long: a kill would make suspects of them, for nothing that they do.
TEST_F(Workers, MayFinishTheirTasksHoweverLongTheyTake) {
  EXPECT_EQ(At(1, 900, 0), Verdict::kReplace);
  EXPECT_EQ(At(60, 900, 0), Verdict::kFine);
  EXPECT_EQ(At(600, 1200, 0), Verdict::kFine);
  EXPECT_EQ(At(601, 1201, 0), Verdict::kEnd);
}

// The next one would begin just so.
TEST_F(Workers, AboveTheLimitBeforeTheyHaveDoneAnythingAreKeptAndThatIsSaidOnce) {
  EXPECT_EQ(At(1, 900, 0, 0), Verdict::kTell);
  EXPECT_EQ(words_, "used 900 MiB of private memory, more than --worker-memory-limit 800M");
  EXPECT_EQ(At(2, 900, 0, 0), Verdict::kFine);
  EXPECT_EQ(At(3, 900, 0, 1), Verdict::kReplace);
  memory_.Gone(kWorker);
  memory_.Ready(kWorker, 0);
  EXPECT_EQ(At(4, 900, 0, 0), Verdict::kFine) << "of the first worker alone";
  EXPECT_EQ(At(5, 1201, 0, 0), Verdict::kEnd);
}

TEST_F(Workers, ThatAreGoneAreForgotten) {
  memory_.Gone(kWorker);
  EXPECT_EQ(At(1, 2000, 0), Verdict::kFine);
}

TEST(UsualMemory, IsTheMostOfThatWorkerOfWhichItIsLeast) {
  WorkerMemory memory(0, "");
  std::string words;
  const auto see = [&](uint64_t worker, int64_t own_mib, uint64_t segments, int64_t seconds) {
    memory.Judge({.worker = worker, .own_bytes = own_mib * kMiB}, segments, seconds * kSecond,
                 words);
    return memory.UsualBytes() / kMiB;
  };
  for (uint64_t worker = 1; worker <= 3; ++worker) memory.Ready(worker, 0);
  EXPECT_EQ(see(1, 900, 20, 1), 0) << "it has not done enough to tell";
  EXPECT_EQ(see(1, 10, 100, 2), 900);
  EXPECT_EQ(see(2, 70, 50, 2), 900);
  EXPECT_EQ(see(2, 30, 100, 3), 70) << "the other one had something else";
  EXPECT_EQ(see(2, 10, 101, 4), 70);
  EXPECT_EQ(see(3, 5, 0, 61), 70) << "it has done nothing at all";
  EXPECT_EQ(see(3, 60, 1, 62), 60);
}

class Creeping : public Workers {
 protected:
  Creeping() : Workers(0) {}
};

TEST_F(Creeping, IsJudgedByAWorkersOwnLevel) {
  EXPECT_EQ(At(1, 1000, 0, 99), Verdict::kFine) << "its level is not known yet";
  EXPECT_EQ(At(2, 400, 100, 100), Verdict::kFine);
  EXPECT_EQ(At(3, 656, 100, 200), Verdict::kFine);
  EXPECT_EQ(At(4, 700, 100, 300), Verdict::kFine) << "300 to 600 MiB is not more than double";
  EXPECT_EQ(At(5, 733, 100, 300), Verdict::kReplace);
  EXPECT_EQ(words_, "has grown from 300 MiB to 633 MiB of private memory");
  EXPECT_EQ(At(6, 5000, 100, 300), Verdict::kFine) << "nothing was said of a limit";
}

TEST_F(Creeping, OfASlowModelIsJudgedAfterAMinute) {
  EXPECT_EQ(At(59, 1000, 0, 3), Verdict::kFine);
  EXPECT_EQ(At(60, 100, 90, 4), Verdict::kFine);
  EXPECT_EQ(At(61, 356, 90, 4), Verdict::kFine) << "little is left alone, however often doubled";
  EXPECT_EQ(At(62, 357, 90, 4), Verdict::kReplace);
}

TEST_F(Creeping, IsNotReadExactlyAgainAndAgain) {
  EXPECT_EQ(At(1, 1000, 0, 100), Verdict::kFine);
  EXPECT_EQ(At(2, 1300, 0, 100), Verdict::kFine);
  EXPECT_TRUE(exact_);
  EXPECT_EQ(At(3, 1301, 0, 100), Verdict::kFine);
  EXPECT_FALSE(exact_);
}

class Tree : public testing::Test {
 protected:
  using Step = TreeMemory::Step;
  using Future = MemorySample::OfWorker::Future;

  // `workers`: their anonymous memory in MiB.
  Step At(double seconds, int64_t tree_mib, std::vector<int64_t> workers, bool settled = true,
          std::vector<Future> futures = {}) {
    MemorySample sample;
    sample.tree_bytes = tree_mib * kMiB;
    sample.full_rounds = ++full_rounds_;
    for (size_t i = 0; i < workers.size(); ++i) {
      sample.workers.push_back({.worker = i + 1, .anonymous_bytes = workers[i] * kMiB});
      if (i < futures.size()) sample.workers.back().future = futures[i];
    }
    return memory_.Judge(sample, static_cast<int>(workers.size()), settled, forward_ns_,
                         static_cast<int64_t>(seconds * 1e9));
  }

  TreeMemory memory_{{.bytes = 1000 * kMiB, .end_bytes = 1250 * kMiB, .name = "--memory-limit"}};
  uint64_t full_rounds_ = 0;
  int64_t forward_ns_ = 0;
};

TEST_F(Tree, WithinItsLimitIsLeftAlone) { EXPECT_EQ(At(1, 1000, {100, 100}), Step::kNone); }

TEST_F(Tree, WithoutALimitIsLeftAlone) {
  TreeMemory none({});
  EXPECT_FALSE(none.watches());
  MemorySample sample;
  sample.tree_bytes = INT64_MAX;
  sample.full_rounds = 1;
  EXPECT_EQ(none.Judge(sample, 3, true, 0, kSecond), Step::kNone);
}

TEST_F(Tree, AboveItsLimitGivesUpOneWorkerAtATime) {
  EXPECT_EQ(At(1, 1100, {300, 200, 200}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 1100, {300, 200, 200}, false), Step::kNone) << "it has not finished its tasks";
  EXPECT_EQ(At(3, 1100, {200, 200, 200}), Step::kOneFewer);
  EXPECT_EQ(At(4, 1100, {200, 200}, false), Step::kNone);
  EXPECT_EQ(At(5, 1100, {200, 200}), Step::kOneFewer);
  EXPECT_EQ(At(6, 1100, {200}), Step::kTell);
  EXPECT_EQ(At(7, 1100, {200}), Step::kNone) << "that was told";
}

TEST_F(Tree, WaitsUntilAllMemoryWasLookedAtAgain) {
  EXPECT_EQ(At(1, 1100, {300, 200}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 1100, {300, 200}, false), Step::kNone);
  --full_rounds_;
  EXPECT_EQ(At(3, 1100, {200, 200}), Step::kNone) << "estimated from the last full round";
  EXPECT_EQ(At(4, 1100, {200, 200}), Step::kOneFewer);
}

TEST_F(Tree, ThatWasHeldForAMinuteBeginsWithTheFirstStepAgain) {
  EXPECT_EQ(At(1, 1100, {300, 200}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 900, {200, 200}), Step::kNone);
  EXPECT_EQ(At(63, 900, {200, 200}), Step::kNone);
  EXPECT_EQ(At(64, 1100, {300, 200}), Step::kReplaceLargest);
  EXPECT_EQ(At(65, 900, {200, 200}), Step::kNone);
  EXPECT_EQ(At(100, 1100, {300, 200}), Step::kOneFewer) << "too many, sooner or later";
}

TEST_F(Tree, FarAboveItsLimitDoesNotWaitForAWorkerThatStandsOutAndGrows) {
  EXPECT_EQ(At(1, 1300, {1000, 100}, false), Step::kReplaceLargest) << "whatever else goes on";
  EXPECT_EQ(At(1.1, 1425, {1125, 100}, false), Step::kNone);
  EXPECT_EQ(At(1.2, 1426, {1126, 100}, false), Step::kEndLargest);
}

TEST_F(Tree, FarAboveItsLimitEndsNobodyWhereAllAreAlike) {
  EXPECT_EQ(At(1, 1300, {400, 390, 380}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 1500, {500, 490, 480}, false), Step::kNone);
  EXPECT_EQ(At(30, 1500, {500, 490, 480}, false), Step::kOneFewer);
}

TEST_F(Tree, FarAboveItsLimitEndsAWorkerThatStandsOutAndDoesNotFinish) {
  EXPECT_EQ(At(1, 1300, {900, 100}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 1300, {900, 100}, false), Step::kNone);
  EXPECT_EQ(At(11, 1300, {900, 100}, false), Step::kNone);
  EXPECT_EQ(At(11.1, 1300, {900, 100}, false), Step::kEndLargest);
}

TEST_F(Tree, WaitsLongerWhereSegmentsTakeLong) {
  forward_ns_ = 5 * kSecond;
  EXPECT_EQ(At(1, 1300, {900, 100}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 1300, {900, 100}, false), Step::kNone);
  EXPECT_EQ(At(41, 1300, {900, 100}, false), Step::kNone);
  EXPECT_EQ(At(41.1, 1300, {900, 100}, false), Step::kEndLargest);
}

// A fork that was just made is small beside it.
TEST_F(Tree, EndsNobodyWhoHasWhatOrdinaryWorkTakes) {
  const auto look = [this](double seconds, int64_t own, int64_t usual) {
    MemorySample sample{.workers = {}, .tree_bytes = 1300 * kMiB, .full_rounds = ++full_rounds_};
    for (const int64_t mib : {own, int64_t{100}}) {
      sample.workers.push_back({.worker = sample.workers.size() + 1,
                                .anonymous_bytes = mib * kMiB,
                                .own_bytes = mib * kMiB});
    }
    return memory_.Judge(sample, 2, false, 0, static_cast<int64_t>(seconds * 1e9), usual * kMiB);
  };
  EXPECT_EQ(look(1, 900, 1000), Step::kNone) << "others are not settled";
  EXPECT_EQ(look(2, 900, 800), Step::kReplaceLargest) << "whatever else goes on";
  EXPECT_EQ(look(13, 900, 1000), Step::kReplaceLargest) << "as for any that is the largest";
  EXPECT_EQ(look(24, 900, 800), Step::kEndLargest);
}

TEST_F(Tree, AboveItsLimitEndsNobodyForTheTimeThatTasksTake) {
  EXPECT_EQ(At(1, 1100, {700, 100}), Step::kReplaceLargest);
  for (double at = 2; at < 100; at += 1) {
    EXPECT_NE(At(at, 1250, {850, 100}, false, {Future::kReplaced}), Step::kEndLargest) << at;
  }
}

// Blind, it would look on while the others grow.
TEST_F(Tree, DoesNotWaitForEverForAWorkerThatCannotFinish) {
  const std::vector<Future> stuck = {Future::kReplaced};
  EXPECT_EQ(At(1, 1100, {300, 290, 280}), Step::kReplaceLargest);
  EXPECT_EQ(memory_.subject(), 1U);
  EXPECT_EQ(At(2, 1100, {300, 290, 280}, false, stuck), Step::kNone);
  EXPECT_EQ(At(12, 1100, {300, 290, 280}, false, stuck), Step::kNone);
  EXPECT_EQ(At(12.1, 1100, {300, 290, 280}, false, stuck), Step::kOneFewer);
  EXPECT_EQ(memory_.subject(), 1U) << "its place is given up, whenever it ends";
  const std::vector<Future> given_up = {Future::kGivenUp};
  EXPECT_EQ(At(22, 1100, {300, 290, 280}, false, given_up), Step::kNone);
  EXPECT_EQ(At(22.2, 1100, {300, 290, 280}, false, given_up), Step::kOneFewer);
  EXPECT_EQ(memory_.subject(), 2U);
}

TEST_F(Tree, AsksNoWorkerToEndThatIsAboutToAnyway) {
  EXPECT_EQ(At(1, 1000, {300, 290}, false, {Future::kReplaced}), Step::kNone);
  EXPECT_EQ(At(11.1, 1100, {300, 290}, false, {Future::kReplaced}), Step::kReplaceLargest);
  EXPECT_EQ(memory_.subject(), 2U);
}

TEST_F(Tree, NeverEndsTheOnlyWorker) {
  EXPECT_EQ(At(1, 9000, {8000}), Step::kReplaceLargest);
  EXPECT_EQ(At(2, 9000, {8000}), Step::kTell);
}

}  // namespace
}  // namespace consort
