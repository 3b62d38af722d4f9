#include "supervisor/place/memory_nodes.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <utility>
#include <vector>

namespace consort {
namespace {

std::vector<hwloc_obj_t> NodesWithMemory(hwloc_topology_t topology) {
  const hwloc_const_bitmap_t allowed = ::hwloc_topology_get_allowed_nodeset(topology);
  std::vector<hwloc_obj_t> all;
  std::vector<hwloc_obj_t> with_memory;
  hwloc_obj_t node = nullptr;
  while ((node = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr) {
    if (!::hwloc_bitmap_isset(allowed, node->os_index)) continue;
    all.push_back(node);
    if (node->attr->numanode.local_memory > 0) with_memory.push_back(node);
  }
  // Where no size is told at all, each is taken to have some.
  return with_memory.empty() ? all : with_memory;
}

// From the first of the system's matrices that has both nodes; 0: not told.
uint64_t Distance(hwloc_topology_t topology, int from, int to) {
  hwloc_distances_s* matrix = nullptr;
  unsigned count = 1;
  uint64_t distance = 0;
  if (::hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, &count, &matrix,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) != 0 ||
      count == 0) {
    return 0;
  }
  const auto index_of = [&](int os_index) {
    for (unsigned i = 0; i < matrix->nbobjs; ++i) {
      if (matrix->objs[i] != nullptr && static_cast<int>(matrix->objs[i]->os_index) == os_index) {
        return static_cast<int>(i);
      }
    }
    return -1;
  };
  const int row = index_of(from);
  const int column = index_of(to);
  if (row >= 0 && column >= 0) {
    distance =
        matrix->values[static_cast<unsigned>(row) * matrix->nbobjs + static_cast<unsigned>(column)];
  }
  ::hwloc_distances_release(topology, matrix);
  return distance;
}

}  // namespace

int NearestMemoryNode(hwloc_topology_t topology, int os_index) {
  int best = os_index;
  auto best_cost = std::pair(std::numeric_limits<uint64_t>::max(), std::numeric_limits<int>::max());
  for (const hwloc_obj_t node : NodesWithMemory(topology)) {
    const int candidate = static_cast<int>(node->os_index);
    if (candidate == os_index) return os_index;
    const auto cost =
        std::pair(Distance(topology, os_index, candidate), std::abs(candidate - os_index));
    if (cost < best_cost) {
      best_cost = cost;
      best = candidate;
    }
  }
  return best;
}

int CountMemoryNodes(hwloc_topology_t topology) {
  return std::max(1, static_cast<int>(NodesWithMemory(topology).size()));
}

}  // namespace consort
