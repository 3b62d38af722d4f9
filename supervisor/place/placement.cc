#include "supervisor/place/placement.h"

#include <algorithm>
#include <map>
#include <set>

#include "supervisor/view/number.h"

namespace consort {
namespace {

int64_t Need(const MemoryNeed& need, int64_t arenas, int64_t templates, int64_t engines) {
  return need.common_bytes + arenas * need.weights_bytes + templates * need.template_bytes +
         engines * need.engine_bytes;
}

int CountArenas(const Machine& machine) {
  std::set<int> memory_nodes;
  for (const Node& node : machine.nodes) memory_nodes.insert(node.memory_node);
  return static_cast<int>(memory_nodes.size());
}

std::string LimitWords(const Machine& machine) {
  if (!machine.memory_limit) {
    return "this machine's " + Bytes(machine.memory_bytes) + " of memory";
  }
  return "the memory limit of " + Bytes(machine.memory_limit->bytes) + " (" +
         machine.memory_limit->file + ")";
}

// Fewer arenas, then fewer workers, where memory is known to be short.
struct Fitted {
  bool one_arena = false;
  int workers = 1;
  int spare = 0;  // more workers that there is room for
};

Fitted FitToMemory(const Machine& machine, const PlacementRequest& request, const Split& split,
                   std::vector<std::string>& warnings) {
  Fitted fitted{false, split.workers, 0};
  if (request.spare) {
    fitted.spare = std::max(0, machine.usable_cpus / split.engines - split.workers);
  }
  const int64_t limit = machine.UsableMemory();
  const MemoryNeed& need = request.need;
  if (limit == 0) return fitted;
  const int nodes = static_cast<int>(machine.nodes.size());
  const int memory_nodes = CountArenas(machine);
  // Fewer workers than nodes leave nodes without a template and an arena, too.
  const auto arenas = [&](int workers) {
    return fitted.one_arena ? 1 : std::min(workers, memory_nodes);
  };
  const auto need_of = [&](int workers, int engines) {
    return Need(need, arenas(workers), std::min(workers, nodes), int64_t{workers} * engines);
  };
  if (arenas(split.workers) > 1 && need_of(split.workers, split.engines) > limit &&
      need_of(split.workers, 0) > limit / 2) {
    fitted.one_arena = true;
    warnings.push_back(LimitWords(machine) + " has no room for the weights (" +
                       Bytes(need.weights_bytes) +
                       ") on each NUMA node: they are held once, and some workers read them from "
                       "another node");
  }
  if (need_of(split.workers + fitted.spare, split.engines) > limit) fitted.spare = 0;
  if (request.workers) return fitted;
  int room = split.workers;
  while (room > 0 && need_of(room, split.engines) > limit) --room;
  if (room >= split.workers) return fitted;
  fitted.workers = std::max(1, room);
  const int workers = fitted.workers;
  const int64_t common = Need(need, 0, std::min(workers, nodes), 0);
  const int64_t weights = need.weights_bytes * arenas(workers);
  const std::string taken = "consort and its template" +
                            std::string(std::min(workers, nodes) == 1 ? "" : "s") + " take about " +
                            Bytes(common) + (weights > 0 ? ", the weights " + Bytes(weights) : "");
  const std::string a_worker = Bytes(need.engine_bytes * split.engines);
  if (room == 0) {
    warnings.push_back(LimitWords(machine) + " may be too little for even one worker: " + taken +
                       ", a worker " + a_worker + ", " + Bytes(need_of(1, split.engines)) +
                       " in all");
  } else {
    warnings.push_back(LimitWords(machine) + " has room for " + Counted(room, "worker") +
                       " instead of " + std::to_string(split.workers) + ": " + taken +
                       ", which leaves " + Bytes(limit - common - weights) +
                       " for workers of about " + a_worker + "; -p sets another number");
  }
  return fitted;
}

}  // namespace

Placement Place(const Machine& machine, const PlacementRequest& request) {
  Placement placement;
  placement.split = ChooseSplit(machine, request.workers, request.engines);
  const Fitted fitted = FitToMemory(machine, request, placement.split, placement.warnings);
  placement.split.workers = fitted.workers;
  placement.workers = PlaceWorkers(machine, fitted.workers + fitted.spare, placement.split.engines);

  // Nodes that got no worker have neither a template nor an arena.
  std::map<int, int> placed;       // index in machine.nodes → in placement.nodes
  std::map<int, size_t> arena_of;  // memory node → index in placement.arenas
  const bool whole_machine = machine.memory_nodes == 1 && machine.nodes.size() == 1;
  for (WorkerPlace& worker : placement.workers) {
    const Node& node = machine.nodes[static_cast<size_t>(worker.node)];
    const auto [at, is_new] = placed.emplace(worker.node, static_cast<int>(placement.nodes.size()));
    worker.node = at->second;
    if (!is_new) continue;
    const int memory_node = machine.memory_nodes == 1 ? -1 : node.memory_node;
    const auto [arena, new_arena] =
        arena_of.emplace(fitted.one_arena ? -1 : memory_node, placement.arenas.size());
    if (new_arena) placement.arenas.push_back({.memory_node = memory_node, .cpus = {}});
    // On a machine of one node the affinity that we were given is right as it is.
    placement.nodes.push_back({.os_index = node.os_index,
                               .arena = arena->second,
                               .cpus = whole_machine ? std::vector<int>{} : node.cpus});
    auto& near = placement.arenas[arena->second].cpus;
    if (memory_node >= 0 && new_arena) near = node.cpus;
  }
  placement.need_bytes = Need(request.need, static_cast<int64_t>(placement.arenas.size()),
                              static_cast<int64_t>(placement.nodes.size()),
                              int64_t{placement.split.workers} * placement.split.engines);
  const auto split_end = placement.workers.begin() + fitted.workers;
  placement.spare.assign(split_end, placement.workers.end());
  placement.workers.erase(split_end, placement.workers.end());
  return placement;
}

}  // namespace consort
