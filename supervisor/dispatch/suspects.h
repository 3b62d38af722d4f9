// Segments that may be what ends workers, and in which groups they are to be run to find out.
//
// All that were in flight at a crash are one group, and it is cut in halves at once: a half is run
// in one worker that holds nothing else. One that lives is innocent. At a crash those of it that
// were in flight again are halved again, until a segment is by itself; that one is guilty after so
// many crashes while alone. So of n in flight a guilty one costs at most max(1, ceil(log2 n))
// deaths until it is alone, also when several are guilty: each death that it causes halves its
// group, and those that others cause make it smaller.
//
// Values alone: who runs what, and when, is the dispatcher's.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "supervisor/dispatch/resume_point.h"

namespace consort {

struct SegmentId {
  uint64_t file = 0;
  uint64_t segment = 0;
  auto operator<=>(const SegmentId&) const = default;
};

// To be run together.
struct SuspectGroup {
  std::vector<SegmentId> members;
  int deaths = 0;  // while its one member was alone; 0 for a group of several

  bool alone() const { return members.size() == 1; }
};

class SuspectQueue {
 public:
  bool empty() const { return groups_.empty(); }
  const std::deque<SuspectGroup>& groups() const { return groups_; }

  // All of them were in flight at one crash.
  void Halve(std::vector<SegmentId> in_flight);
  // To be run next, as it is. An empty one is nothing.
  void PutFirst(SuspectGroup group);
  // To be run after all others.
  void PutLast(SuspectGroup group);

  // The next group, without members that nobody wants to know of any more; nullopt: none is left.
  std::optional<SuspectGroup> Take(const std::function<bool(const SegmentId&)>& wanted);

 private:
  std::deque<SuspectGroup> groups_;
};

// A group while one worker runs it: one suspect an engine, several if there are more of them.
class Trial {
 public:
  Trial(SuspectGroup group, size_t engines);

  const SuspectGroup& group() const { return group_; }
  // Not in any engine's hands.
  const std::vector<SegmentId>& waiting() const { return waiting_; }
  // Members that an engine is given at a time.
  size_t share() const { return share_; }
  // The next one to hand out, from waiting().
  SegmentId Next();
  // Was handed out, and not begun.
  void Wait(const SegmentId& member) { waiting_.push_back(member); }

 private:
  SuspectGroup group_;
  std::vector<SegmentId> waiting_;  // the next one is the last
  size_t share_;
};

// As the journal keeps them: members of a group have the same `together`.
void AppendSuspects(const SuspectGroup& group, std::vector<ResumeSuspect>& to);
// The reverse, in order of first appearance.
std::vector<SuspectGroup> GroupSuspects(const std::vector<ResumeSuspect>& suspects);

}  // namespace consort
