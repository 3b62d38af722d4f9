#include "supervisor/memory/runaway_workers.h"

#include <algorithm>
#include <functional>

namespace consort {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

// What a worker may have beside what ordinary work takes: all of them together half of the limit.
constexpr int64_t kLeastMoreBytes = int64_t{8} << 20;
constexpr int64_t kMostMoreBytes = int64_t{64} << 20;

}  // namespace

int64_t RunawayWorkers::Allowance(size_t workers, int64_t usual_bytes) const {
  return 2 * usual_bytes + More(workers);
}

int64_t RunawayWorkers::More(size_t workers) const {
  const int64_t share = limit_.bytes / (2 * static_cast<int64_t>(std::max<size_t>(1, workers)));
  return std::clamp(share, kLeastMoreBytes, kMostMoreBytes);
}

RunawayWorkers::Found RunawayWorkers::Judge(const MemorySample& sample, int64_t usual_bytes,
                                            int64_t patience_ns, int64_t now_ns) {
  Found found;
  if (limit_.bytes == 0 || sample.tree_bytes == 0) return found;
  const bool above = sample.tree_bytes > limit_.bytes;
  const int64_t allowance = Allowance(sample.workers.size(), usual_bytes);
  std::map<uint64_t, Known> known;
  std::vector<const MemorySample::OfWorker*> runaways;
  for (const auto& it : sample.workers) {
    const auto before = workers_.find(it.worker);
    Known now = before != workers_.end() ? before->second
                                         : Known{.later_bytes = it.own_bytes, .later_ns = now_ns};
    if (now_ns - now.later_ns >= kSecondNs) {
      now.then_bytes = now.later_bytes;
      now.later_bytes = it.own_bytes;
      now.later_ns = now_ns;
    }
    if (!above || it.own_bytes <= allowance) {
      now.runaway_since_ns = -1;
    } else {
      if (now.runaway_since_ns < 0) now.runaway_since_ns = now_ns;
      runaways.push_back(&it);
    }
    known.insert_or_assign(it.worker, now);
  }
  workers_ = std::move(known);  // whoever is gone is forgotten
  std::ranges::sort(runaways, std::greater<>(), &MemorySample::OfWorker::own_bytes);

  const int64_t growth =
      std::min(std::max(limit_.bytes / 16, kLeastMoreBytes), More(sample.workers.size()));
  int64_t after_ends = sample.tree_bytes;
  int64_t after_all = sample.tree_bytes;
  bool patient = false;
  for (const auto* it : runaways) {
    auto& now = workers_[it->worker];
    const bool waited = now_ns - now.runaway_since_ns > patience_ns;
    const bool grows = it->own_bytes - now.then_bytes >= growth;
    if (after_ends > limit_.end_bytes && (grows || waited)) {
      found.end.push_back(it->worker);
      after_ends -= it->own_bytes;
    } else if (after_all > limit_.bytes && !now.retired) {
      now.retired = true;
      found.retire.push_back(it->worker);
    }
    after_all -= it->own_bytes;
    patient = patient || !waited;
  }
  found.explains = patient && after_all <= limit_.bytes;
  return found;
}

}  // namespace consort
