#include "supervisor/job/retiring_workers.h"

#include <algorithm>

namespace consort {

bool RetiringWorkers::Add(const Worker& worker, Reason reason) {
  const bool added = workers_.try_emplace(worker.id(), Retiring{.reason = reason}).second;
  dispatcher_.Retire(worker.id());  // it may have gone on with its files until now
  return added;
}

bool RetiringWorkers::AddAfterItsFiles(const Worker& worker) {
  if (Find(worker.id()) || !Add(worker, Reason::kReplaced)) return false;
  dispatcher_.RetireAfterItsFiles(worker.id());
  return true;
}

void RetiringWorkers::EndIdle(Fleet& fleet) {
  for (auto& [id, retiring] : workers_) {
    auto* worker = fleet.FindRunning(id);
    if (worker == nullptr || retiring.told_to_end || dispatcher_.Holds(id)) continue;
    retiring.told_to_end = true;
    fleet.Retire(*worker);
  }
}

void RetiringWorkers::EndNow(Fleet& fleet, Worker& worker, Reason reason) {
  Add(worker, reason);
  workers_[worker.id()].told_to_end = true;
  fleet.Retire(worker);
}

bool RetiringWorkers::Ends(uint64_t worker) const {
  const auto found = workers_.find(worker);
  return found != workers_.end() && found->second.told_to_end;
}

std::optional<RetiringWorkers::Reason> RetiringWorkers::Gone(uint64_t worker) {
  const auto reason = Find(worker);
  workers_.erase(worker);
  return reason;
}

std::optional<RetiringWorkers::Reason> RetiringWorkers::Find(uint64_t worker) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return std::nullopt;
  return found->second.reason;
}

bool RetiringWorkers::AnyForMemory() const {
  return std::ranges::any_of(workers_, [](const auto& entry) {
    return entry.second.reason == Reason::kReplaced || entry.second.reason == Reason::kGivenUp;
  });
}

}  // namespace consort
