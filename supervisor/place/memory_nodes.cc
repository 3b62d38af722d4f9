#include "supervisor/place/memory_nodes.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>
#include <vector>

#include "supervisor/place/words.h"

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

// A made-up topology has nothing to do with this machine's files.
bool HasKernelFiles(hwloc_topology_t topology, const std::string& root) {
  return !root.empty() || hwloc_topology_is_thissystem(topology) != 0;
}

// By /sys; 0: not told. A node's file has a distance for each node that is online, in their order.
uint64_t KernelDistance(const std::string& root, int from, int to) {
  const std::string nodes = root + "/sys/devices/system/node/";
  std::string list;
  std::ifstream(nodes + "online") >> list;
  std::ifstream distances(nodes + "node" + std::to_string(from) + "/distance");
  for (const int node : ParseCpuList(list)) {
    uint64_t distance = 0;
    if (!(distances >> distance)) return 0;
    if (node == to) return distance;
  }
  return 0;
}

}  // namespace

int NodeOf(hwloc_topology_t topology, hwloc_obj_t pu, const std::string& root) {
  const int first = ::hwloc_bitmap_first(pu->nodeset);
  if (first >= 0 || !HasKernelFiles(topology, root)) return std::max(0, first);
  // Among what lies there, a link that is called as the node.
  const std::string folder = root + "/sys/devices/system/cpu/cpu" + std::to_string(pu->os_index);
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    int node = -1;
    if (std::sscanf(name.c_str(), "node%d", &node) == 1 && node >= 0) return node;
  }
  return 0;
}

int NearestMemoryNode(hwloc_topology_t topology, int os_index, const std::string& root) {
  int best = os_index;
  auto best_cost = std::pair(std::numeric_limits<uint64_t>::max(), std::numeric_limits<int>::max());
  for (const hwloc_obj_t node : NodesWithMemory(topology)) {
    const int candidate = static_cast<int>(node->os_index);
    if (candidate == os_index) return os_index;
    uint64_t distance = Distance(topology, os_index, candidate);
    if (distance == 0 && HasKernelFiles(topology, root)) {
      distance = KernelDistance(root, os_index, candidate);
    }
    const auto cost = std::pair(distance, std::abs(candidate - os_index));
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
