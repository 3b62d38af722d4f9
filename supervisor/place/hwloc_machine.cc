#include "supervisor/place/hwloc_machine.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace consort {
namespace {

// The number of the NUMA node that `pu` is local to. With several (fast memory beside plain), the
// first.
int NodeOf(hwloc_obj_t pu) { return std::max(0, ::hwloc_bitmap_first(pu->nodeset)); }

}  // namespace

Result<Machine> MachineFrom(hwloc_topology_t topology, hwloc_const_cpuset_t mask,
                            std::optional<double> quota) {
  Machine machine;
  std::map<int, int> node_index;  // by os index
  std::map<hwloc_obj_t, int> core_index;
  std::vector<int> used;  // CPUs seen of each core
  std::vector<std::vector<Cpu>> of_node;
  const hwloc_const_bitmap_t allowed = ::hwloc_topology_get_allowed_cpuset(topology);

  hwloc_obj_t pu = nullptr;
  while ((pu = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != nullptr) {
    if (!::hwloc_bitmap_isset(allowed, pu->os_index)) continue;
    if (mask != nullptr && !::hwloc_bitmap_isset(mask, pu->os_index)) continue;
    hwloc_obj_t core = ::hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
    if (core == nullptr) core = pu;  // some virtual machines tell of none
    const int node_os_index = NodeOf(pu);
    const auto [node, new_node] =
        node_index.emplace(node_os_index, static_cast<int>(machine.nodes.size()));
    if (new_node) {
      machine.nodes.push_back({.os_index = node_os_index, .cores = 0, .cpus = {}});
      of_node.emplace_back();
    }
    const auto [number, new_core] = core_index.emplace(core, static_cast<int>(used.size()));
    if (new_core) {
      used.push_back(0);
      ++machine.nodes[static_cast<size_t>(node->second)].cores;
    }
    const Cpu cpu{.os_index = static_cast<int>(pu->os_index),
                  .core = number->second,
                  .node = node->second,
                  .smt_rank = used[static_cast<size_t>(number->second)]++};
    machine.cpus.push_back(cpu);
    of_node[static_cast<size_t>(cpu.node)].push_back(cpu);
  }
  if (machine.cpus.empty()) return Error{"this process may use no CPU at all"};

  for (size_t i = 0; i < of_node.size(); ++i) {
    std::ranges::stable_sort(of_node[i], {}, &Cpu::smt_rank);
    for (const Cpu& cpu : of_node[i]) machine.nodes[i].cpus.push_back(cpu.os_index);
  }
  machine.usable_cpus = static_cast<int>(machine.cpus.size());
  if (quota && *quota < machine.usable_cpus) {
    machine.usable_cpus = std::max(1, static_cast<int>(std::ceil(*quota)));
  }
  machine.usable_cores = std::min(static_cast<int>(used.size()), machine.usable_cpus);
  return machine;
}

}  // namespace consort
