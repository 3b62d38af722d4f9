#include "supervisor/fleet/worker_life.h"

namespace consort {
namespace {

using S = WorkerState;
using A = WorkerAction;

// Rows: state. Columns: kForked, kReady, kPidfd, kReaped, kLost, kTemplateGone.
constexpr WorkerStep kTable[5][6] = {
    // kRequested: not a process yet; if its template dies it never becomes one we know.
    {{S::kStarting, A::kNone},
     {S::kRequested, A::kNone},
     {S::kRequested, A::kImpossible},
     {S::kRequested, A::kImpossible},
     {S::kGone, A::kBury},
     {S::kGone, A::kBury}},
    // kStarting
    {{S::kStarting, A::kImpossible},
     {S::kRunning, A::kAnnounce},
     {S::kDying, A::kFindStatus},
     {S::kGone, A::kBury},
     {S::kGone, A::kBury},
     {S::kStarting, A::kNone}},
    // kRunning
    {{S::kRunning, A::kImpossible},
     {S::kRunning, A::kNone},
     {S::kDying, A::kFindStatus},
     {S::kGone, A::kBury},
     {S::kGone, A::kBury},
     {S::kRunning, A::kNone}},
    // kDying
    {{S::kDying, A::kImpossible},
     {S::kDying, A::kNone},
     {S::kDying, A::kNone},
     {S::kGone, A::kBury},
     {S::kGone, A::kBury},
     {S::kDying, A::kFindStatus}},
    // kGone: late news of the dead.
    {{S::kGone, A::kNone},
     {S::kGone, A::kNone},
     {S::kGone, A::kNone},
     {S::kGone, A::kNone},
     {S::kGone, A::kNone},
     {S::kGone, A::kNone}},
};

}  // namespace

WorkerStep NextStep(WorkerState state, WorkerEvent event) {
  return kTable[static_cast<int>(state)][static_cast<int>(event)];
}

}  // namespace consort
