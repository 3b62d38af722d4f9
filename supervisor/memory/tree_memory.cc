#include "supervisor/memory/tree_memory.h"

#include <algorithm>
#include <initializer_list>

namespace consort {
namespace {

using Future = MemorySample::OfWorker::Future;

// A worker holds two tasks an engine, each of one forward at least: four times what they take.
constexpr int64_t kPatienceToForward = 8;

// More than twice, and so much more than, what every other worker has.
constexpr int64_t kStandsOutBytes = int64_t{64} << 20;

// None of those with such a future.
const MemorySample::OfWorker* LargestBut(const MemorySample& sample,
                                         std::initializer_list<Future> without) {
  const MemorySample::OfWorker* largest = nullptr;
  for (const auto& it : sample.workers) {
    if (std::ranges::find(without, it.future) != without.end()) continue;
    if (largest == nullptr || it.anonymous_bytes > largest->anonymous_bytes) largest = &it;
  }
  return largest;
}

bool OneStandsOut(const MemorySample& sample, int64_t usual_bytes) {
  const auto* largest = Largest(sample);
  if (largest == nullptr || sample.workers.size() < 2) return false;
  if (largest->own_bytes < usual_bytes) return false;
  return std::ranges::all_of(sample.workers, [largest](const MemorySample::OfWorker& it) {
    return &it == largest || (it.anonymous_bytes < largest->anonymous_bytes / 2 &&
                              it.anonymous_bytes < largest->anonymous_bytes - kStandsOutBytes);
  });
}

}  // namespace

const MemorySample::OfWorker* Largest(const MemorySample& sample) { return LargestBut(sample, {}); }

int64_t TreeMemory::PatienceNs(int64_t forward_ns) {
  return std::max(kPatienceNs, kPatienceToForward * forward_ns);
}

// It was to be replaced, and grows on instead, or does not come to an end.
bool TreeMemory::IsToEnd(const MemorySample& sample, int64_t now_ns) const {
  return sample.tree_bytes > limit_.end_bytes &&
         (sample.tree_bytes > last_tree_bytes_ + limit_.bytes / 8 ||
          now_ns - last_ns_ > patience_ns_);
}

// Or has not been for so long that nobody can tell when it will be.
bool TreeMemory::IsSettled(const MemorySample& sample, bool settled, int64_t now_ns) {
  if (settled) {
    unsettled_since_ns_ = -1;
    return true;
  }
  if (unsettled_since_ns_ < 0) unsettled_since_ns_ = now_ns;
  if (now_ns - std::max(unsettled_since_ns_, last_ns_) > patience_ns_) return true;
  full_when_settled_ = sample.full_rounds;
  return false;
}

TreeMemory::Step TreeMemory::Replace(Step step, const MemorySample& sample,
                                     const MemorySample::OfWorker* worker, int64_t now_ns) {
  if (worker == nullptr) return Step::kNone;
  last_ = worker->worker;
  last_ns_ = now_ns;
  last_tree_bytes_ = sample.tree_bytes;
  return step;
}

TreeMemory::Step TreeMemory::Judge(const MemorySample& sample, int workers, bool settled,
                                   int64_t forward_ns, int64_t now_ns, int64_t usual_bytes) {
  if (!watches() || sample.tree_bytes == 0 || sample.workers.empty()) return Step::kNone;
  patience_ns_ = PatienceNs(forward_ns);
  settled = IsSettled(sample, settled, now_ns);
  if (sample.tree_bytes <= limit_.bytes) {
    if (below_since_ns_ < 0) below_since_ns_ = now_ns;
    if (now_ns - below_since_ns_ > kHeldNs) replaced_ = false;
    return Step::kNone;
  }
  below_since_ns_ = -1;
  if (OneStandsOut(sample, usual_bytes)) {
    const bool known = Largest(sample)->worker == last_;
    if (known && IsToEnd(sample, now_ns)) return Step::kEndLargest;
    if (!known && sample.tree_bytes > limit_.end_bytes) {
      return Replace(Step::kReplaceLargest, sample, Largest(sample), now_ns);
    }
  }
  // What the last step has gained is known once all memory was looked at again.
  if (!settled || sample.full_rounds <= full_when_settled_) return Step::kNone;
  full_when_settled_ = sample.full_rounds;
  if (!replaced_) {
    replaced_ = true;
    const auto* worker = LargestBut(sample, {Future::kReplaced, Future::kGivenUp});
    if (worker != nullptr) return Replace(Step::kReplaceLargest, sample, worker, now_ns);
  }
  if (workers > 1) {
    return Replace(Step::kOneFewer, sample, LargestBut(sample, {Future::kGivenUp}), now_ns);
  }
  if (told_) return Step::kNone;
  told_ = true;
  return Step::kTell;
}

}  // namespace consort
