// When an engine hangs, on a clock that the test turns.
#include <gtest/gtest.h>

#include <functional>

#include "supervisor/dispatch/deadlines.h"

namespace consort {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kLook = kSecond / 10;
constexpr uint64_t kWorker = 7;

uint64_t Number(Stage stage) { return static_cast<uint64_t>(stage); }

class DeadlinesTest : public ::testing::Test {
 protected:
  DeadlinesTest() { Begin(60 * kSecond); }

  void Begin(int64_t timeout_ns, int64_t batch = 1) {
    deadlines_ = Deadlines(timeout_ns, batch);
    deadlines_.AddWorker(kWorker, 2);
    sight_ = {.stage = Number(Stage::kForward), .since_ns = 5, .has_work = true};
    deadlines_.Look(now_);
    deadlines_.See(kWorker, 0, sight_, alone_);
  }
  // 100 segments have been done, each of which took so long in each stage.
  void Usual(int64_t ns) {
    std::array<int64_t, kStageCount> all{};
    all.fill(100 * ns);
    deadlines_.Learn(all, 100);
  }
  // Looks as often as the job does, for so long. True once it hangs.
  bool HangsWithin(int64_t ns, int64_t every = kLook) {
    for (const int64_t end = now_ + ns; now_ < end;) {
      now_ += every;
      deadlines_.Look(now_);
      if (before_look_) before_look_();
      if ((hung_ns_ = deadlines_.See(kWorker, 0, sight_, alone_)) > 0) return true;
    }
    return false;
  }

  Deadlines deadlines_{0};
  EngineSight sight_;
  std::function<void()> before_look_;
  bool alone_ = false;
  int64_t hung_ns_ = 0;
  int64_t now_ = 1'000 * kSecond;
};

TEST_F(DeadlinesTest, OnlyTheTimeoutCountsBeforeAnythingIsKnown) {
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond / 2));
  EXPECT_NEAR(static_cast<double>(hung_ns_), 60.0 * kSecond, kSecond);
}

TEST_F(DeadlinesTest, AStageOfKnownSizeMayTakeManyTimesWhatItTakesUsually) {
  Usual(kSecond);
  EXPECT_FALSE(HangsWithin(Deadlines::kFactor * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, AFastStageHasSecondsAllTheSame) {
  Usual(1'000);
  EXPECT_FALSE(HangsWithin(Deadlines::kFloorNs));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, ASlowStageHasNoMoreThanTheTimeout) {
  Usual(50 * kSecond);
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, AFewSegmentsSayNothingOfWhatIsUsual) {
  std::array<int64_t, kStageCount> all{};
  all.fill(1);
  deadlines_.Learn(all, 99);
  EXPECT_FALSE(HangsWithin(60 * kSecond));
}

TEST_F(DeadlinesTest, LiesAboutWhatIsUsualMoveNothingBeyondTheBounds) {
  for (const int64_t lie : {INT64_MIN / 200, INT64_MAX / 200}) {
    Usual(lie);
    const int64_t limit = deadlines_.LimitNs(Number(Stage::kForward), false);
    EXPECT_GE(limit, Deadlines::kFloorNs);
    EXPECT_LE(limit, 60 * kSecond);
  }
}

TEST_F(DeadlinesTest, ABatchHasTheTimeOfItsSegments) {
  Begin(600 * kSecond, 8);
  Usual(kSecond);
  EXPECT_EQ(deadlines_.LimitNs(Number(Stage::kForward), false), 8 * Deadlines::kFactor * kSecond);
}

TEST_F(DeadlinesTest, ABatchsForwardHasTheTimeoutOfEachOfItsSegments) {
  for (const bool alone : {false, true}) {
    alone_ = alone;
    Begin(60 * kSecond, 8);
    EXPECT_FALSE(HangsWithin(8 * 60 * kSecond)) << "nothing is known yet";
    EXPECT_TRUE(HangsWithin(kSecond));
    Begin(60 * kSecond, 8);
    Usual(50 * kSecond);
    EXPECT_FALSE(HangsWithin(8 * 60 * kSecond));
    EXPECT_TRUE(HangsWithin(kSecond));
  }
  EXPECT_EQ(deadlines_.LimitNs(Number(Stage::kFeatures), true), 60 * kSecond);
}

TEST_F(DeadlinesTest, StorageHasTheWholeTimeout) {
  Usual(1'000);
  for (const Stage stage : {Stage::kValidate, Stage::kRead}) {
    EXPECT_EQ(deadlines_.LimitNs(Number(stage), false), 60 * kSecond);
  }
}

TEST_F(DeadlinesTest, ASegmentOnTrialHasTheWholeTimeout) {
  Usual(1'000);
  alone_ = true;
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, WithoutATimeoutNothingHangs) {
  Begin(0);
  Usual(1'000);
  EXPECT_FALSE(HangsWithin(100'000 * kSecond, kSecond));
}

TEST_F(DeadlinesTest, AnyChangeIsLife) {
  for (auto* field : {&sight_.stage, &sight_.file, &sight_.segment}) {
    ++*field;
    deadlines_.Heard(kWorker, 0);
    EXPECT_FALSE(HangsWithin(59 * kSecond));
  }
}

TEST_F(DeadlinesTest, ItsTimesAreNotBelieved) {
  sight_.since_ns = INT64_MAX;
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, ChangesWithoutAResultAreNotEnough) {
  before_look_ = [this] { ++sight_.since_ns; };
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, ResultsAreEnough) {
  before_look_ = [this] {
    ++sight_.since_ns;
    deadlines_.Heard(kWorker, 0);
  };
  EXPECT_FALSE(HangsWithin(600 * kSecond));
}

TEST_F(DeadlinesTest, ALongRecordingThatIsGoneThroughIsNoHangButEndsSomeTime) {
  sight_.stage = Number(Stage::kRead);
  before_look_ = [this] { ++sight_.steps; };
  EXPECT_FALSE(HangsWithin(Deadlines::kMostSteps * 60 * kSecond - kSecond));
  EXPECT_TRUE(HangsWithin(2 * kSecond));
}

TEST_F(DeadlinesTest, StepsCountOnlyWhereSomethingIsRead) {
  before_look_ = [this] { ++sight_.steps; };
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, EarlierSegmentsThatAreDoneAgainAreLifeAsOftenAsTheyAre) {
  sight_.segment = 40;
  sight_.earlier = 40;
  EXPECT_FALSE(HangsWithin(kSecond));
  for (uint64_t segment = 0; segment < 40; ++segment) {  // each takes as long as it may
    sight_.segment = segment;
    ++sight_.since_ns;
    EXPECT_FALSE(HangsWithin(59 * kSecond)) << segment;
  }
  before_look_ = [this] {
    sight_.segment = (sight_.segment + 1) % 40;
    ++sight_.since_ns;
  };
  EXPECT_TRUE(HangsWithin(61 * kSecond)) << "there are no more than 40";
}

TEST_F(DeadlinesTest, ASegmentThatIsDoneAgainMayHangAsAnyOther) {
  sight_.segment = 7;
  sight_.earlier = 40;
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, WithoutStateOtherSegmentsAreNoLife) {
  before_look_ = [this] { sight_.segment = (sight_.segment + 1) % 40; };
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond));
}

TEST_F(DeadlinesTest, WithoutWorkNothingHangsAndTimeBeginsWithTheWork) {
  sight_ = {.stage = Number(Stage::kWaiting)};
  EXPECT_FALSE(HangsWithin(600 * kSecond));
  sight_.has_work = true;
  EXPECT_FALSE(HangsWithin(60 * kSecond));
  EXPECT_TRUE(HangsWithin(kSecond)) << "it does not take its task: it is stopped";
}

TEST_F(DeadlinesTest, WaitingForRoomIsNoHang) {
  sight_.stage = Number(Stage::kWaiting);
  sight_.unread = true;
  EXPECT_FALSE(HangsWithin(6000 * kSecond));
}

TEST_F(DeadlinesTest, ResultsThatNobodyHasLookedAtAreNoSilence) {
  sight_.unread = true;
  before_look_ = [this] { ++sight_.segment; };
  EXPECT_FALSE(HangsWithin(6000 * kSecond));
}

TEST_F(DeadlinesTest, AStoppedMachineKillsNobody) {
  for (int stop = 0; stop < 50; ++stop) {
    EXPECT_FALSE(HangsWithin(1, 3600 * kSecond)) << "an hour between two looks";
  }
  EXPECT_TRUE(HangsWithin(11 * kSecond));
}

TEST_F(DeadlinesTest, AClockThatGoesBackKillsNobody) {
  now_ -= 500 * kSecond;
  EXPECT_FALSE(HangsWithin(59 * kSecond));
}

TEST_F(DeadlinesTest, AStageThatDoesNotExistHasTheTimeout) {
  Usual(1'000);
  EXPECT_EQ(deadlines_.LimitNs(UINT64_MAX, false), 60 * kSecond);
}

TEST_F(DeadlinesTest, EnginesAreJudgedOneByOne) {
  EngineSight other = sight_;
  before_look_ = [&] {
    ++other.segment;
    deadlines_.Heard(kWorker, 1);
    EXPECT_EQ(deadlines_.See(kWorker, 1, other, false), 0);
  };
  EXPECT_TRUE(HangsWithin(61 * kSecond));
  EXPECT_EQ(deadlines_.StoodNs(kWorker, 1), 0);
  EXPECT_GT(deadlines_.StoodNs(kWorker, 0), 59 * kSecond);
  deadlines_.RemoveWorker(kWorker);
  EXPECT_EQ(deadlines_.See(kWorker, 0, sight_, false), 0);
}

TEST_F(DeadlinesTest, AWorkerThatComesLateHasItsTimeToo) {
  EXPECT_TRUE(HangsWithin(61 * kSecond));
  deadlines_.AddWorker(kWorker + 1, 1);
  EXPECT_EQ(deadlines_.See(kWorker + 1, 0, sight_, false), 0);
}

}  // namespace
}  // namespace consort
