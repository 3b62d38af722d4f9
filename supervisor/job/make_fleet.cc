#include "supervisor/job/make_fleet.h"

#include <chrono>
#include <thread>

#include "shared/arena/arena.h"
#include "shared/base/clock.h"
#include "shared/bundle/tag_choice.h"
#include "supervisor/job/memory_bounds.h"
#include "supervisor/job/memory_need.h"
#include "supervisor/job/worker_count_keeper.h"
#include "supervisor/place/fit_quota.h"

namespace consort {

Result<FleetMaker> FleetMaker::Look() {
  FleetMaker maker;
  CONSORT_TRY(maker.machine_, ReadMachine());
  maker.times_ = ReadCpuTimes();
  maker.looked_ns_ = MonotonicNs();
  return maker;
}

Result<JobFleet> FleetMaker::Make(const RunOptions& options, const Bundle& bundle,
                                  const Warn& warn) {
  if (!placement_) {
    const Machine used = BoundMemory(FitToQuota(machine_, BusyNow()), options);
    placement_ = Place(used, {.workers = options.workers,
                              .engines = options.engines,
                              .need = EstimateMemory(bundle),
                              .spare = MayTryWorkerCounts(options)});
    for (const auto& warning : placement_->warnings) warn(warning);
    // What was measured to be the best split needs no warning.
    const auto crowded = Oversubscribed(placement_->split, options.intra, machine_);
    if (!crowded.empty() && !options.tuned) warn(crowded);
    CONSORT_TRY(FillArenas(bundle, *placement_, warn));
  }
  if (!tags_ && !bundle.manifest.output.label_thresholds.empty()) {
    CONSORT_TRY(tags_, SealTagChoice(bundle.manifest.output));
  }
  std::vector<int> arena_fds;
  for (const auto& arena : arenas_) arena_fds.push_back(arena.get());
  CONSORT_TRY(auto fleet, PlanFleet(options, bundle, *placement_, arena_fds, tags_.get()));
  fleet.memory = BoundOfTree(machine_, options);
  fleet.usable_cpus = machine_.usable_cpus;
  return fleet;
}

std::map<int, double> FleetMaker::BusyNow() const {
  constexpr int64_t kWindowNs = 50'000'000;  // five of the kernel's ticks
  if (!machine_.QuotaBinds()) return {};
  // The first look was some time ago, so there is mostly nothing to wait for.
  const int64_t left_ns = looked_ns_ + kWindowNs - MonotonicNs();
  if (left_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left_ns));
  return BusyShares(times_, ReadCpuTimes());
}

Status FleetMaker::FillArenas(const Bundle& bundle, const Placement& placement, const Warn& warn) {
  if (bundle.weights.bytes == 0) return Ok();
  MemoryPolicy policy;
  for (const auto& place : placement.arenas) {
    const int like = arenas_.empty() ? -1 : arenas_.front().get();
    CONSORT_TRY(Arena arena,
                FillArena(bundle, {.node = place.memory_node, .cpus = place.cpus}, like, policy));
    if (!arena.warning.empty()) warn(arena.warning);
    arenas_.push_back(std::move(arena.memfd));
  }
  return Ok();
}

}  // namespace consort
