#include "supervisor/place/machine.h"

#include <algorithm>
#include <memory>

#include "supervisor/place/hwloc_machine.h"

namespace consort {
namespace {

struct Destroy {
  void operator()(hwloc_topology* topology) const { ::hwloc_topology_destroy(topology); }
};
struct FreeBitmap {
  void operator()(hwloc_bitmap_s* bitmap) const { ::hwloc_bitmap_free(bitmap); }
};

}  // namespace

Result<Machine> ReadMachine() {
  const auto failed = [](const char* step) {
    return Error{std::string("could not read this machine's CPUs: ") + step + " failed"};
  };
  hwloc_topology_t raw = nullptr;
  if (::hwloc_topology_init(&raw) != 0) return failed("hwloc_topology_init");
  std::unique_ptr<hwloc_topology, Destroy> topology(raw);
  if (::hwloc_topology_load(raw) != 0) return failed("hwloc_topology_load");
  std::unique_ptr<hwloc_bitmap_s, FreeBitmap> mask(::hwloc_bitmap_alloc());
  // Of this thread: of the process would be the union over its threads.
  const bool has_mask = mask && ::hwloc_get_cpubind(raw, mask.get(), HWLOC_CPUBIND_THREAD) == 0;
  return MachineFrom(raw, has_mask ? mask.get() : nullptr, ReadCpuQuota());
}

std::vector<WorkerPlace> PlaceWorkers(const Machine& machine, int workers, int engines) {
  std::vector<int64_t> given(machine.nodes.size());  // engines of each node so far
  std::vector<WorkerPlace> places;
  places.reserve(static_cast<size_t>(workers));
  for (int worker = 0; worker < workers; ++worker) {
    size_t best = 0;
    for (size_t node = 1; node < given.size(); ++node) {
      // given / cpus, without dividing.
      const auto cpus = [&machine](size_t i) {
        return static_cast<int64_t>(machine.nodes[i].cpus.size());
      };
      if (given[node] * cpus(best) < given[best] * cpus(node)) best = node;
    }
    const std::vector<int>& cpus = machine.nodes[best].cpus;
    WorkerPlace& place = places.emplace_back();
    place.node = static_cast<int>(best);
    for (int engine = 0; engine < engines; ++engine) {
      place.cpus.push_back(cpus[static_cast<size_t>(given[best]++) % cpus.size()]);
    }
  }
  return places;
}

Split ChooseSplit(const Machine& machine, std::optional<int> workers, std::optional<int> engines) {
  Split split;
  split.engines = engines.value_or(1);
  split.workers = workers.value_or(std::max(1, machine.usable_cores / split.engines));
  return split;
}

}  // namespace consort
