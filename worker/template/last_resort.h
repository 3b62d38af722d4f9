// What the kernel is to do with a process of ours when something has gone wrong: end it before
// others when memory is out, and leave no core file when it crashes.
//
// All of it is best effort: where it is refused, the kernel's own choice stands.
#pragma once

namespace consort {

// Whom the kernel is to take when memory is out: a worker before its template, both before the
// supervisor and whatever else of this user has not asked to be taken. Added to what the supervisor
// has (/proc/PID/oom_score_adj, -1000 to 1000); raising it needs no privilege.
inline constexpr int kTemplateOomScore = 300;
inline constexpr int kWorkerOomScore = 500;

// In a process that so far has what it inherited.
void RaiseOomScore(int by);

// A core a crash would fill the disk, and delay the news of the death by seconds. Sets the soft
// limit only; CONSORT_CORE=1 in the environment leaves the limit as it was inherited.
void LeaveNoCore();

}  // namespace consort
