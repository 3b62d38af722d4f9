#include "supervisor/dispatch/suspects.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace consort {

void SuspectQueue::Halve(std::vector<SegmentId> in_flight) {
  const auto middle = in_flight.begin() + static_cast<ptrdiff_t>((in_flight.size() + 1) / 2);
  std::vector<SegmentId> second(middle, in_flight.end());
  in_flight.erase(middle, in_flight.end());
  PutFirst({std::move(second)});
  PutFirst({std::move(in_flight)});
}

void SuspectQueue::PutFirst(SuspectGroup group) {
  if (!group.members.empty()) groups_.push_front(std::move(group));
}

void SuspectQueue::PutLast(SuspectGroup group) {
  if (!group.members.empty()) groups_.push_back(std::move(group));
}

std::optional<SuspectGroup> SuspectQueue::Take(
    const std::function<bool(const SegmentId&)>& wanted) {
  while (!groups_.empty()) {
    SuspectGroup group = std::move(groups_.front());
    groups_.pop_front();
    std::erase_if(group.members, [&wanted](const SegmentId& member) { return !wanted(member); });
    if (!group.members.empty()) return group;
  }
  return std::nullopt;
}

Trial::Trial(SuspectGroup group, size_t engines)
    : group_(std::move(group)),
      waiting_(group_.members.rbegin(), group_.members.rend()),
      share_((group_.members.size() + engines - 1) / std::max<size_t>(1, engines)) {}

SegmentId Trial::Next() {
  const SegmentId next = waiting_.back();
  waiting_.pop_back();
  return next;
}

void AppendSuspects(const SuspectGroup& group, std::vector<ResumeSuspect>& to) {
  const int64_t together = to.empty() ? 1 : to.back().together + 1;
  for (const auto& member : group.members) {
    to.push_back({member.file, member.segment, group.deaths, together});
  }
}

std::vector<SuspectGroup> GroupSuspects(const std::vector<ResumeSuspect>& suspects) {
  std::vector<SuspectGroup> groups;
  std::unordered_map<int64_t, size_t> places;
  for (const auto& it : suspects) {
    const auto [place, is_new] = places.try_emplace(it.together, groups.size());
    if (is_new) groups.emplace_back();
    auto& group = groups[place->second];
    group.members.push_back({it.file, it.segment});
    group.deaths = group.alone() ? it.deaths : 0;
  }
  return groups;
}

}  // namespace consort
