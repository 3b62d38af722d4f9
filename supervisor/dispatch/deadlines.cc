#include "supervisor/dispatch/deadlines.h"

#include <algorithm>

namespace consort {
namespace {

// Stages whose work is of a known size: a segment's.
bool IsOfKnownSize(uint64_t stage) {
  switch (static_cast<Stage>(stage)) {
    case Stage::kResample:
    case Stage::kFeatures:
    case Stage::kForward:
    case Stage::kPost:
      return true;
    default:
      return false;
  }
}

bool WaitsForStorage(uint64_t stage) {
  return stage == static_cast<uint64_t>(Stage::kValidate) ||
         stage == static_cast<uint64_t>(Stage::kRead);
}

}  // namespace

void Deadlines::Learn(const std::array<int64_t, kStageCount>& stage_ns, uint64_t segments) {
  if (segments < kEnoughSegments) return;
  for (size_t stage = 0; stage < kStageCount; ++stage) {
    usual_ns_[stage] = std::max<int64_t>(1, stage_ns[stage] / static_cast<int64_t>(segments));
  }
}

void Deadlines::AddWorker(uint64_t worker, uint32_t engines) {
  Age young;
  young.state_ns = young.step_ns = young.said_ns = clock_ns_;
  workers_[worker].assign(engines, young);
}

void Deadlines::Look(int64_t now_ns) {
  if (last_look_ns_ != 0) {
    clock_ns_ += std::clamp<int64_t>(now_ns - last_look_ns_, 0, kLongestLookNs);
  }
  last_look_ns_ = now_ns;
}

void Deadlines::Heard(uint64_t worker, uint32_t engine) {
  const auto found = workers_.find(worker);
  if (found != workers_.end()) found->second[engine].heard = true;
}

int64_t Deadlines::LimitNs(uint64_t stage, bool alone) const {
  // One stay in it is all of the batch, even if a single place of it is taken.
  const int64_t most_ns =
      stage == static_cast<uint64_t>(Stage::kForward) ? timeout_ns_ * batch_ : timeout_ns_;
  if (alone || stage >= kStageCount || usual_ns_[stage] == 0 || !IsOfKnownSize(stage)) {
    return most_ns;
  }
  const auto usual = static_cast<double>(usual_ns_[stage]) * static_cast<double>(kFactor * batch_);
  if (usual >= static_cast<double>(most_ns)) return most_ns;
  return std::min(most_ns, std::max(kFloorNs, static_cast<int64_t>(usual)));
}

int64_t Deadlines::See(uint64_t worker, uint32_t engine, const EngineSight& sight, bool alone) {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return 0;
  auto& age = found->second[engine];
  const bool stepped = WaitsForStorage(sight.stage) && sight.steps != age.seen.steps;
  const bool waits = sight.stage == static_cast<uint64_t>(Stage::kWaiting) && sight.unread;
  if (!sight.has_work || waits || !(sight == age.seen)) age.state_ns = clock_ns_;
  // What lies in its ring and was not looked at, since the output is behind, is no silence of its.
  if (!sight.has_work || sight.unread || age.heard) {
    age.said_ns = age.step_ns = clock_ns_;
    age.again = 0;
  }
  const bool moved = sight.file == age.seen.file && sight.segment != age.seen.segment;
  if (moved && sight.segment < sight.earlier && age.again < sight.earlier) {
    ++age.again;
    age.said_ns = age.step_ns = clock_ns_;
  }
  if (stepped) age.step_ns = clock_ns_;
  age.seen = sight;
  age.heard = false;
  if (timeout_ns_ == 0 || !sight.has_work) return 0;
  const int64_t stood_ns = clock_ns_ - age.state_ns;
  if (stood_ns > LimitNs(sight.stage, alone)) return stood_ns;
  const int64_t silent_ns = clock_ns_ - age.step_ns;
  if (silent_ns > timeout_ns_ * batch_) return silent_ns;
  const int64_t dumb_ns = clock_ns_ - age.said_ns;
  return dumb_ns > timeout_ns_ * batch_ * kMostSteps ? dumb_ns : 0;
}

int64_t Deadlines::StoodNs(uint64_t worker, uint32_t engine) const {
  const auto found = workers_.find(worker);
  if (found == workers_.end()) return 0;
  const auto& age = found->second[engine];
  return age.seen.has_work ? clock_ns_ - age.state_ns : 0;
}

}  // namespace consort
