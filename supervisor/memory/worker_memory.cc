#include "supervisor/memory/worker_memory.h"

#include <algorithm>
#include <utility>

#include "supervisor/view/number.h"

namespace consort {
namespace {

// How much more anonymous memory makes an exact figure worth reading again.
constexpr int64_t kExactStepBytes = int64_t{32} << 20;

}  // namespace

WorkerMemory::WorkerMemory(int64_t limit_bytes, std::string limit_name)
    : limit_bytes_(limit_bytes), limit_name_(std::move(limit_name)) {}

void WorkerMemory::Ready(uint64_t worker, int64_t now_ns) {
  auto& known = workers_[worker];
  known.ready_ns = now_ns;
  if (limit_bytes_ > 0) known.exact_above = limit_bytes_;
}

void WorkerMemory::Gone(uint64_t worker) { workers_.erase(worker); }

int64_t WorkerMemory::ExactAbove(uint64_t worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() ? INT64_MAX : found->second.exact_above;
}

WorkerMemory::Verdict WorkerMemory::Judge(const MemorySample::OfWorker& sample, uint64_t segments,
                                          int64_t now_ns, std::string& words) {
  const auto found = workers_.find(sample.worker);
  if (found == workers_.end()) return Verdict::kFine;
  Learn(found->second, sample, segments, now_ns);
  return limit_bytes_ > 0 ? JudgeLimit(found->second, sample, segments, words)
                          : JudgeCreep(found->second, sample, segments, now_ns, words);
}

// The least of all workers: one may have had a segment that took memory without end.
void WorkerMemory::Learn(Known& known, const MemorySample::OfWorker& sample, uint64_t segments,
                         int64_t now_ns) {
  if (known.heard) return;
  known.peak_bytes = std::max(known.peak_bytes, sample.own_bytes);
  const bool long_at_work = segments > 0 && now_ns - known.ready_ns >= kLevelNs;
  if (segments < kLevelSegments && !long_at_work) return;
  known.heard = true;
  usual_bytes_ = std::min(usual_bytes_, known.peak_bytes);
}

WorkerMemory::Verdict WorkerMemory::JudgeLimit(Known& known, const MemorySample::OfWorker& sample,
                                               uint64_t segments, std::string& words) {
  if (sample.private_bytes < 0) return Verdict::kFine;
  if (sample.private_bytes <= limit_bytes_) {
    // It can be above the limit only once it has grown by what is left of it.
    known.exact_above =
        sample.anonymous_bytes + (known.replaced ? 0 : limit_bytes_ - sample.private_bytes);
    return Verdict::kFine;
  }
  words = "used " + Bytes(sample.private_bytes) + " of private memory, more than " + limit_name_;
  if (sample.private_bytes > limit_bytes_ + limit_bytes_ / 2) return Verdict::kEnd;
  // Its successor would begin just so, and nothing would ever be done.
  if (segments == 0) return std::exchange(told_, true) ? Verdict::kFine : Verdict::kTell;
  return std::exchange(known.replaced, true) ? Verdict::kFine : Verdict::kReplace;
}

WorkerMemory::Verdict WorkerMemory::JudgeCreep(Known& known, const MemorySample::OfWorker& sample,
                                               uint64_t segments, int64_t now_ns,
                                               std::string& words) {
  if (known.level_bytes < 0) {
    if (segments < kLevelSegments && now_ns - known.ready_ns < kLevelNs) return Verdict::kFine;
    known.level_bytes = sample.anonymous_bytes;
    known.exact_above = known.level_bytes + kCreepBytes;
    return Verdict::kFine;
  }
  if (sample.private_bytes < 0 || known.replaced) return Verdict::kFine;
  // Whatever anonymous memory has come since is private.
  const int64_t grown = sample.anonymous_bytes - known.level_bytes;
  const int64_t level = std::max<int64_t>(0, sample.private_bytes - grown);
  if (grown <= kCreepBytes || sample.private_bytes <= 2 * level) {
    known.exact_above = sample.anonymous_bytes + kExactStepBytes;
    return Verdict::kFine;
  }
  words = "has grown from " + Bytes(level) + " to " + Bytes(sample.private_bytes) +
          " of private memory";
  known.replaced = true;
  known.exact_above = INT64_MAX;
  return Verdict::kReplace;
}

}  // namespace consort
