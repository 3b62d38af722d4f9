// A worker's life as the supervisor sees it: a table of state x event -> state, action.
// It is values alone, so that every cell can be tested without a process.
//
//   requested --forked--> starting --ready--> running --pidfd--> dying --reaped--> (gone)
//
// "Gone" is reached only over kReaped or kLost: only then can the worker write no more, and only
// then may its result rings be drained and its tasks handed out again. (Draining or handing out
// any earlier counts segments twice.) The exception is one that was asked for and never heard of
// when its template ended: it was never given anything.
#pragma once

#include <cstdint>

namespace consort {

enum class WorkerState : uint8_t { kRequested, kStarting, kRunning, kDying, kGone };

enum class WorkerEvent : uint8_t {
  kForked,        // the template made it: pid and pidfd are known
  kReady,         // its engines run
  kPidfd,         // it is dead; its status is not known yet
  kReaped,        // its status came: from the template, or by our own waitid
  kLost,          // it is dead, and nobody can tell how: its template died before it could
  kTemplateGone,  // its template is dead; the parent-death signal ends it
};

enum class WorkerAction : uint8_t {
  kNone,
  kAnnounce,    // tell the dispatcher: feed it
  kFindStatus,  // try to reap it, wait for the template's word
  kBury,        // drain its rings, hand its tasks out again, replace it
  kImpossible,  // a template that says this is broken: kill it
};

struct WorkerStep {
  WorkerState state;
  WorkerAction action;
};

WorkerStep NextStep(WorkerState state, WorkerEvent event);

}  // namespace consort
