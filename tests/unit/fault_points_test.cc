#include "worker/fault/fault_points.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <thread>

#include "worker/stage/stage_clock.h"

namespace consort {
namespace {

TEST(FaultOrders, SayWhatWhereAndOfWhichSegment) {
  const auto orders = ParseFaultOrders("segv@features:poison-03:2;spin@post:a b.wav");
  ASSERT_TRUE(orders);
  ASSERT_EQ(orders.value().size(), 2u);
  const auto& [kind, stage, file, segment] = orders.value()[0];
  EXPECT_EQ(kind, "segv");
  EXPECT_EQ(stage, Stage::kFeatures);
  EXPECT_EQ(file, "poison-03");
  EXPECT_EQ(segment, 2);
  EXPECT_EQ(orders.value()[1].file, "a b.wav");
  EXPECT_EQ(orders.value()[1].segment, -1);
  EXPECT_TRUE(ParseFaultOrders("").value().empty());
}

TEST(FaultOrders, ThatCannotBeReadAreAnError) {
  for (const char* text : {"segv", "segv@features", "segv@features:", "segv@nowhere:a",
                           "segv@waiting:a", "sulk@read:a", "segv@read:a:x", "segv@read:a:-1",
                           "segv@read:a:1:2", "segv@read:a;;bus@read:a"}) {
    EXPECT_FALSE(ParseFaultOrders(text)) << text;
  }
}

TEST(FaultOrders, AreMeantForOneStageFileAndSegment) {
  const auto orders = ParseFaultOrders("segv@forward:bad:2").value();
  const FaultPlace place{Stage::kForward, "/x/bad.wav", 2, 3};
  EXPECT_TRUE(orders[0].IsAt(place));
  EXPECT_TRUE(orders[0].IsAt({Stage::kForward, "/x/bad.wav", 0, 8})) << "in a batch";
  EXPECT_FALSE(orders[0].IsAt({Stage::kRead, "/x/bad.wav", 2, 3}));
  EXPECT_FALSE(orders[0].IsAt({Stage::kForward, "/x/good.wav", 2, 3}));
  EXPECT_FALSE(orders[0].IsAt({Stage::kForward, "/x/bad.wav", 3, 4}));
  EXPECT_FALSE(orders[0].IsAt({Stage::kForward, "/x/bad.wav", 0, 2}));
}

// In a process of its own: what it asks for is read once.
void Work(const char* fault) {
  setenv("CONSORT_FAULT", fault, 1);
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) signal(number, SIG_DFL);  // a sanitizer's
  StageClock clock;
  clock.AtFile("/x/good.wav");
  clock.AtSegment(0, 1);
  clock.Enter(Stage::kForward);
  clock.AtFile("/x/bad.wav");
  clock.AtSegment(1, 1);
  clock.Enter(Stage::kRead);
  clock.Enter(Stage::kForward);
  clock.AtFile({});
  clock.Enter(Stage::kPost);
  _exit(0);
}

// As an engine does it: nobody is there to catch anything.
void WorkInAThread(const char* fault) { std::thread(Work, fault).join(); }

TEST(FaultPoints, EndTheProcessAsTheyAreTold) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(Work("segv@forward:bad:1"), testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EXIT(Work("bus@read:bad"), testing::KilledBySignal(SIGBUS), "");
  EXPECT_EXIT(Work("abort@forward:bad"), testing::KilledBySignal(SIGABRT), "");
  EXPECT_EXIT(Work("exit@forward:bad"), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(WorkInAThread("bus@read:bad;throw@forward:good"), testing::KilledBySignal(SIGABRT),
              "told to throw");
}

TEST(FaultPoints, LeaveOthersAlone) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(Work("segv@forward:bad:2;segv@features:bad;segv@post:bad;segv@read:good"),
              testing::ExitedWithCode(0), "");
  EXPECT_EXIT(Work(""), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(Work("segv@forward"), testing::ExitedWithCode(2), "cannot read \"segv@forward\"");
}

}  // namespace
}  // namespace consort
