// Split and workers; the rest of placement.h is in placement.cc.
#include <algorithm>
#include <cstdint>

#include "supervisor/place/placement.h"

namespace consort {

std::vector<WorkerPlace> PlaceWorkers(const Machine& machine, int workers, int engines) {
  std::vector<int64_t> given(machine.nodes.size());  // engines of each node so far
  std::vector<WorkerPlace> places;
  places.reserve(static_cast<size_t>(workers));
  for (int worker = 0; worker < workers; ++worker) {
    size_t best = 0;
    for (size_t node = 1; node < given.size(); ++node) {
      // Cores while there are free ones anywhere, then CPUs: a full small node and a large one
      // with a core left must not be told apart by their siblings.
      const auto room = [&](size_t i) {
        const auto cores = static_cast<int64_t>(machine.nodes[i].cores);
        return given[i] + engines <= cores;
      };
      // given / size, without dividing.
      const auto size = [&](size_t i) {
        return static_cast<int64_t>(room(node) || room(best) ? machine.nodes[i].cores
                                                             : machine.nodes[i].cpus.size());
      };
      if (room(node) != room(best) ? room(node)
                                   : given[node] * size(best) < given[best] * size(node)) {
        best = node;
      }
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
