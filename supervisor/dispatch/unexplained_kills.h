// SIGKILLs that nobody explains. One is nobody's fault; but a segment that always ends in one (a
// process outside that ends whatever grows large, a system call that is forbidden) would be tried
// for ever. So they are counted:
//
//   - a segment that was in flight at many of them becomes a suspect, and is run alone;
//   - while it is alone, every tenth of those in a row is taken for a crash. "In a row": a kill
//     that hits a worker at ordinary work in between shows that the killer does not care for this
//     segment, and a crash that it has other ways to end a worker: the row begins anew.
//
// Kills at random hit a segment that often only if they come faster than a segment takes, when
// nothing could get on anyway.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "supervisor/dispatch/suspects.h"

namespace consort {

class UnexplainedKills {
 public:
  static constexpr int kKillsPerAttempt = 3;  // until it is a suspect
  static constexpr int kKillsPerDeath = 10;   // while it is alone

  explicit UnexplainedKills(int attempts) : most_(kKillsPerAttempt * attempts) {}

  // A worker with these in flight was killed. Whether that is to be taken for a crash of them.
  // `alone`: they were on trial.
  bool Count(const std::vector<SegmentId>& in_flight, bool alone);
  // A worker ended by its own doing.
  void Crashed() { row_.clear(); }
  // Nothing of that file is in flight any more.
  void Forget(uint64_t file);

 private:
  const int most_;
  std::map<SegmentId, int> all_;  // kills that a segment was in flight at
  std::map<SegmentId, int> row_;  // while it was alone, without another in between
};

}  // namespace consort
