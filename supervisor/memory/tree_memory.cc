#include "supervisor/memory/tree_memory.h"

#include <algorithm>

namespace consort {
namespace {

// More than twice, and so much more than, what every other worker has.
constexpr int64_t kStandsOutBytes = int64_t{64} << 20;

bool OneStandsOut(const MemorySample& sample) {
  const auto* largest = Largest(sample);
  if (largest == nullptr || sample.workers.size() < 2) return false;
  return std::ranges::all_of(sample.workers, [largest](const MemorySample::OfWorker& it) {
    return &it == largest || (it.anonymous_bytes < largest->anonymous_bytes / 2 &&
                              it.anonymous_bytes < largest->anonymous_bytes - kStandsOutBytes);
  });
}

}  // namespace

const MemorySample::OfWorker* Largest(const MemorySample& sample) {
  const auto found =
      std::ranges::max_element(sample.workers, {}, &MemorySample::OfWorker::anonymous_bytes);
  return found == sample.workers.end() ? nullptr : &*found;
}

// It was to be replaced, and grows on instead, or does not come to an end.
bool TreeMemory::IsToEnd(const MemorySample& sample, int64_t now_ns) const {
  const bool grows = sample.tree_bytes > limit_.end_bytes &&
                     sample.tree_bytes > last_tree_bytes_ + limit_.bytes / 8;
  return grows || now_ns - last_ns_ > kPatienceNs;
}

TreeMemory::Step TreeMemory::Replace(Step step, const MemorySample& sample, int64_t now_ns) {
  const auto* largest = Largest(sample);
  last_ = largest == nullptr ? 0 : largest->worker;
  last_ns_ = now_ns;
  last_tree_bytes_ = sample.tree_bytes;
  return step;
}

TreeMemory::Step TreeMemory::Judge(const MemorySample& sample, int workers, bool settled,
                                   int64_t now_ns) {
  if (!watches() || sample.tree_bytes == 0) return Step::kNone;
  if (!settled) full_when_settled_ = sample.full_rounds;
  if (sample.tree_bytes <= limit_.bytes) {
    if (below_since_ns_ < 0) below_since_ns_ = now_ns;
    if (now_ns - below_since_ns_ > kHeldNs) replaced_ = false;
    return Step::kNone;
  }
  below_since_ns_ = -1;
  if (OneStandsOut(sample)) {
    const bool known = Largest(sample)->worker == last_;
    if (known && IsToEnd(sample, now_ns)) return Step::kEndLargest;
    if (!known && sample.tree_bytes > limit_.end_bytes) {
      return Replace(Step::kReplaceLargest, sample, now_ns);
    }
  }
  // What the last step has gained is known once all memory was looked at again.
  if (!settled || sample.full_rounds <= full_when_settled_) return Step::kNone;
  full_when_settled_ = sample.full_rounds;
  if (!replaced_) {
    replaced_ = true;
    return Replace(Step::kReplaceLargest, sample, now_ns);
  }
  if (workers > 1) return Replace(Step::kOneFewer, sample, now_ns);
  if (told_) return Step::kNone;
  told_ = true;
  return Step::kTell;
}

}  // namespace consort
