#include "supervisor/place/fit_quota.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace consort {
namespace {

constexpr double kBusy = 0.5;  // of a short moment: less may be chance

// Cores of which any CPU is busy: a sibling's work slows a core, too.
std::map<int, bool> BusyCores(const Machine& machine, const std::map<int, double>& busy) {
  std::map<int, bool> cores;
  for (const Cpu& cpu : machine.cpus) {
    const auto share = busy.find(cpu.os_index);
    cores[cpu.core] |= share != busy.end() && share->second > kBusy;
  }
  return cores;
}

int CalmCores(const Machine& machine, int node, const std::map<int, bool>& busy_cores) {
  return static_cast<int>(std::ranges::count_if(machine.cpus, [&](const Cpu& cpu) {
    return cpu.node == node && cpu.smt_rank == 0 && !busy_cores.at(cpu.core);
  }));
}

// Indices in machine.nodes: the fewest nodes with `cores` cores, calm ones first.
std::vector<size_t> ChooseNodes(const Machine& machine, int cores,
                                const std::map<int, bool>& busy_cores) {
  std::vector<size_t> order(machine.nodes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](size_t i) {
    const Node& node = machine.nodes[i];
    const int calm = CalmCores(machine, static_cast<int>(i), busy_cores);
    return std::tuple(node.cores < cores, -std::min(calm, cores), -node.cores);
  });
  std::vector<size_t> chosen;
  int found = 0;
  for (const size_t i : order) {
    if (found >= cores) break;
    chosen.push_back(i);
    found += machine.nodes[i].cores;
  }
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace

Machine FitToQuota(Machine machine, const std::map<int, double>& busy) {
  if (!machine.QuotaBinds()) return machine;
  const auto busy_cores = BusyCores(machine, busy);
  std::vector<Node> nodes;
  std::vector<Cpu> cpus;
  for (const size_t old : ChooseNodes(machine, machine.usable_cores, busy_cores)) {
    std::vector<Cpu> of_node;
    for (Cpu cpu : machine.cpus) {
      if (cpu.node != static_cast<int>(old)) continue;
      cpu.node = static_cast<int>(nodes.size());
      of_node.push_back(cpu);
      cpus.push_back(cpu);
    }
    std::ranges::stable_sort(of_node, {}, [&](const Cpu& cpu) {
      return std::tuple(cpu.smt_rank, busy_cores.at(cpu.core), cpu.kind);
    });
    Node& node = nodes.emplace_back(machine.nodes[old]);
    node.cpus.clear();
    for (const Cpu& cpu : of_node) node.cpus.push_back(cpu.os_index);
  }
  machine.nodes = std::move(nodes);
  machine.cpus = std::move(cpus);
  return machine;
}

}  // namespace consort
