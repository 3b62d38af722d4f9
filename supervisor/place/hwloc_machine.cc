#include "supervisor/place/hwloc_machine.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "supervisor/place/memory_nodes.h"

namespace consort {
namespace {

// hwloc ranks kinds by rising speed; -1: it cannot tell them apart, so they are one.
int SpeedOf(hwloc_topology_t topology, hwloc_obj_t pu) {
  const int kind = ::hwloc_cpukinds_get_by_cpuset(topology, pu->cpuset, 0);
  int speed = 0;
  if (kind < 0 || ::hwloc_cpukinds_get_info(topology, static_cast<unsigned>(kind), nullptr, &speed,
                                            nullptr, nullptr, 0) != 0) {
    return 0;
  }
  return std::max(0, speed);
}

// Turns speeds, which Cpu::kind holds until then, into kinds: 0 is the fastest that there is.
void RankKinds(Machine& machine) {
  std::set<int> speeds;
  for (const Cpu& cpu : machine.cpus) speeds.insert(cpu.kind);
  machine.kinds = static_cast<int>(speeds.size());
  for (Cpu& cpu : machine.cpus) {
    cpu.kind = static_cast<int>(std::distance(speeds.upper_bound(cpu.kind), speeds.end()));
  }
}

void OrderCpus(Machine& machine) {
  auto cpus = machine.cpus;
  // A slow core of its own does more than the sibling of a fast one.
  std::ranges::stable_sort(cpus, {}, [](const Cpu& c) { return std::pair(c.smt_rank, c.kind); });
  for (const Cpu& cpu : cpus) {
    machine.nodes[static_cast<size_t>(cpu.node)].cpus.push_back(cpu.os_index);
  }
}

void ApplyLimits(const MachineLimits& limits, Machine& machine, int cores) {
  machine.usable_cpus = static_cast<int>(machine.cpus.size());
  machine.quota = limits.quota;
  if (limits.quota && limits.quota->cpus < machine.usable_cpus) {
    machine.usable_cpus = std::max(1, static_cast<int>(std::ceil(limits.quota->cpus)));
  }
  machine.usable_cores = std::min(cores, machine.usable_cpus);
  machine.memory_bytes = limits.memory_bytes;
  if (limits.memory && (limits.memory_bytes == 0 || limits.memory->bytes < limits.memory_bytes)) {
    machine.memory_limit = limits.memory;
  }
}

}  // namespace

Result<Machine> MachineFrom(hwloc_topology_t topology, hwloc_const_cpuset_t mask,
                            const MachineLimits& limits) {
  Machine machine;
  std::map<int, int> node_index;  // by os index
  std::map<hwloc_obj_t, int> core_index;
  std::vector<int> used;  // CPUs seen of each core
  const hwloc_const_bitmap_t allowed = ::hwloc_topology_get_allowed_cpuset(topology);

  hwloc_obj_t pu = nullptr;
  while ((pu = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != nullptr) {
    if (!::hwloc_bitmap_isset(allowed, pu->os_index)) continue;
    if (mask != nullptr && !::hwloc_bitmap_isset(mask, pu->os_index)) continue;
    hwloc_obj_t core = ::hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
    if (core == nullptr) core = pu;  // some virtual machines tell of none
    const int node_os_index = NodeOf(topology, pu, limits.root);
    const auto [node, new_node] =
        node_index.emplace(node_os_index, static_cast<int>(machine.nodes.size()));
    if (new_node) {
      machine.nodes.push_back(
          {.os_index = node_os_index,
           .cores = 0,
           .cpus = {},
           .memory_node = NearestMemoryNode(topology, node_os_index, limits.root)});
    }
    const auto [number, new_core] = core_index.emplace(core, static_cast<int>(used.size()));
    if (new_core) {
      used.push_back(0);
      ++machine.nodes[static_cast<size_t>(node->second)].cores;
    }
    machine.cpus.push_back({.os_index = static_cast<int>(pu->os_index),
                            .core = number->second,
                            .node = node->second,
                            .smt_rank = used[static_cast<size_t>(number->second)]++,
                            .kind = SpeedOf(topology, pu)});
  }
  if (machine.cpus.empty()) return Error{"this process may use no CPU at all"};
  RankKinds(machine);
  OrderCpus(machine);
  machine.memory_nodes = CountMemoryNodes(topology);
  ApplyLimits(limits, machine, static_cast<int>(used.size()));
  return machine;
}

}  // namespace consort
