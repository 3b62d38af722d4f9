#include "supervisor/fleet/death.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

namespace consort {
namespace {

int Exited(int code) { return W_EXITCODE(code, 0); }
int Signalled(int signal) { return W_EXITCODE(0, signal); }

TEST(Death, ByItsOwnSignalIsACrash) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTERM}) {
    const Death death = DeathFrom(Signalled(signal), false);
    EXPECT_EQ(death.cause, Death::Cause::kCrashed);
    EXPECT_EQ(death.signal, signal);
  }
  EXPECT_EQ(DeathFrom(Signalled(SIGSEGV), false).Words(), "was ended by SIGSEGV");
}

TEST(Death, WithACoreDumpIsTheSame) {
  const Death death = DeathFrom(Signalled(SIGABRT) | WCOREFLAG, false);
  EXPECT_EQ(death.cause, Death::Cause::kCrashed);
  EXPECT_EQ(death.Words(), "was ended by SIGABRT");
}

TEST(Death, BySigkillFromOutsideIsNobodysFault) {
  const Death death = DeathFrom(Signalled(SIGKILL), false);
  EXPECT_EQ(death.cause, Death::Cause::kKilled);
  EXPECT_EQ(death.Words(), "was ended by SIGKILL");
}

TEST(Death, ByOurOwnSigkillIsTheWorkersFault) {
  Death death = DeathFrom(Signalled(SIGKILL), true);
  EXPECT_EQ(death.cause, Death::Cause::kByUs);
  EXPECT_EQ(death.Words(), "broke the protocol");
  EXPECT_EQ(death.PlainWords(), "broke the protocol");
}

TEST(Death, OfWhatHangsIsMeasuredForPeopleAndTheSameInResults) {
  Death death = DeathFrom(Signalled(SIGKILL), true);
  death.offence = Offence::kHung;
  death.why = "hung for 60 s";
  EXPECT_EQ(death.Words(), "hung for 60 s");
  EXPECT_EQ(death.PlainWords(), "hung");
  EXPECT_FALSE(death.ForMemory());
}

TEST(Death, ForMemoryReadsTheSameInResultsWhoeverNoticedFirst) {
  Death ours = DeathFrom(Signalled(SIGKILL), true);
  ours.offence = Offence::kMemory;
  ours.why = "used 3.00 GiB of memory";
  Death kernels = DeathFrom(Signalled(SIGKILL), false);
  kernels.cause = Death::Cause::kOutOfMemory;
  for (const Death& death : {ours, kernels}) {
    EXPECT_TRUE(death.ForMemory());
    EXPECT_EQ(death.PlainWords(), "used too much memory");
  }
  EXPECT_EQ(ours.Words(), "used 3.00 GiB of memory");
  EXPECT_EQ(kernels.Words(), "was ended by the kernel for memory");
}

TEST(Death, ByAnExitThatNobodyAskedForIsACrash) {
  for (const int code : {0, 1, 7, 255}) {
    const Death death = DeathFrom(Exited(code), false);
    EXPECT_EQ(death.cause, Death::Cause::kCrashed);
    EXPECT_EQ(death.Words(), "exited with status " + std::to_string(code));
  }
}

TEST(Death, ThatNobodyCouldTellIsSaidSo) { EXPECT_EQ(Death{}.Words(), "ended"); }

TEST(Death, SignalsWithoutANameHaveANumber) {
  EXPECT_EQ(SignalName(SIGUSR1), "SIGUSR1");
  EXPECT_EQ(SignalName(0x7f), "signal 127");
}

}  // namespace
}  // namespace consort
