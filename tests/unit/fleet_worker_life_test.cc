// Every cell of the table, and what must hold of it as a whole.
#include "supervisor/fleet/worker_life.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace consort {
namespace {

using S = WorkerState;
using E = WorkerEvent;
using A = WorkerAction;

constexpr S kStates[] = {S::kRequested, S::kStarting, S::kRunning, S::kDying, S::kGone};
constexpr E kEvents[] = {E::kForked, E::kReady, E::kPidfd, E::kReaped, E::kLost, E::kTemplateGone};

struct Cell {
  S state;
  E event;
  S next;
  A action;
  const char* why;
};

const Cell kCells[] = {
    {S::kRequested, E::kForked, S::kStarting, A::kNone, "it has a pid"},
    {S::kRequested, E::kReady, S::kRequested, A::kNone, "faster than its template's word"},
    {S::kRequested, E::kPidfd, S::kRequested, A::kImpossible, "no pidfd yet"},
    {S::kRequested, E::kReaped, S::kRequested, A::kImpossible, "no pid yet"},
    {S::kRequested, E::kLost, S::kGone, A::kBury, "nothing was ever heard of it"},
    {S::kRequested, E::kTemplateGone, S::kGone, A::kBury, "nobody is left to make it"},

    {S::kStarting, E::kForked, S::kStarting, A::kImpossible, "made twice"},
    {S::kStarting, E::kReady, S::kRunning, A::kAnnounce, "its engines run"},
    {S::kStarting, E::kPidfd, S::kDying, A::kFindStatus, "dead before it was ready"},
    {S::kStarting, E::kReaped, S::kGone, A::kBury, "the status came before the pidfd fired"},
    {S::kStarting, E::kLost, S::kGone, A::kBury, "dead with its template"},
    {S::kStarting, E::kTemplateGone, S::kStarting, A::kNone, "its own death follows"},

    {S::kRunning, E::kForked, S::kRunning, A::kImpossible, "made twice"},
    {S::kRunning, E::kReady, S::kRunning, A::kNone, "known"},
    {S::kRunning, E::kPidfd, S::kDying, A::kFindStatus, "dead: how?"},
    {S::kRunning, E::kReaped, S::kGone, A::kBury, "the status came before the pidfd fired"},
    {S::kRunning, E::kLost, S::kGone, A::kBury, "dead with its template"},
    {S::kRunning, E::kTemplateGone, S::kRunning, A::kNone, "its own death follows"},

    {S::kDying, E::kForked, S::kDying, A::kImpossible, "made twice"},
    {S::kDying, E::kReady, S::kDying, A::kNone, "too late"},
    {S::kDying, E::kPidfd, S::kDying, A::kNone, "known"},
    {S::kDying, E::kReaped, S::kGone, A::kBury, "now it is known how"},
    {S::kDying, E::kLost, S::kGone, A::kBury, "that nobody knows is known"},
    {S::kDying, E::kTemplateGone, S::kDying, A::kFindStatus, "the template will not tell: reap it"},

    {S::kGone, E::kForked, S::kGone, A::kNone, "late"},
    {S::kGone, E::kReady, S::kGone, A::kNone, "late"},
    {S::kGone, E::kPidfd, S::kGone, A::kNone, "late"},
    {S::kGone, E::kReaped, S::kGone, A::kNone, "late"},
    {S::kGone, E::kLost, S::kGone, A::kNone, "late"},
    {S::kGone, E::kTemplateGone, S::kGone, A::kNone, "late"},
};

std::string Where(S state, E event) {
  return "state " + std::to_string(static_cast<int>(state)) + ", event " +
         std::to_string(static_cast<int>(event));
}

TEST(WorkerLife, EveryCellIsAsItShouldBe) {
  EXPECT_EQ(std::size(kCells), std::size(kStates) * std::size(kEvents));
  for (const auto& cell : kCells) {
    const auto [next, action] = NextStep(cell.state, cell.event);
    EXPECT_EQ(next, cell.next) << Where(cell.state, cell.event) << ": " << cell.why;
    EXPECT_EQ(action, cell.action) << Where(cell.state, cell.event) << ": " << cell.why;
  }
}

TEST(WorkerLife, IsBuriedExactlyOnTheStepToGone) {
  for (const S state : kStates) {
    for (const E event : kEvents) {
      const auto [next, action] = NextStep(state, event);
      const bool ends = state != S::kGone && next == S::kGone;
      EXPECT_EQ(action == A::kBury, ends) << Where(state, event);
    }
  }
}

TEST(WorkerLife, IsAProcessThatGoesOnlyOnceItIsKnownToWriteNoMore) {
  for (const S state : {S::kStarting, S::kRunning, S::kDying}) {
    for (const E event : kEvents) {
      const bool over = event == E::kReaped || event == E::kLost;
      EXPECT_EQ(NextStep(state, event).state == S::kGone, over) << Where(state, event);
    }
  }
}

TEST(WorkerLife, IsAnnouncedOnceAtMostInEverySequenceOfEvents) {
  // Every sequence of six: 46,656 lives.
  constexpr int kLength = 6;
  int lives = 1;
  for (int i = 0; i < kLength; ++i) lives *= static_cast<int>(std::size(kEvents));
  for (int life = 0; life < lives; ++life) {
    S state = S::kRequested;
    int announced = 0;
    int buried = 0;
    for (int i = 0, rest = life; i < kLength; ++i, rest /= static_cast<int>(std::size(kEvents))) {
      const S before = state;
      const auto step = NextStep(state, kEvents[rest % static_cast<int>(std::size(kEvents))]);
      state = step.state;
      EXPECT_GE(state, before) << "a life does not go back";
      announced += step.action == A::kAnnounce;
      buried += step.action == A::kBury;
      if (announced > 0 && state == S::kRequested) FAIL();
    }
    ASSERT_LE(announced, 1);
    ASSERT_EQ(buried, state == S::kGone ? 1 : 0);
  }
}

}  // namespace
}  // namespace consort
