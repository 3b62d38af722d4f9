#include "supervisor/place/placement.h"

#include <algorithm>
#include <map>
#include <set>

#include "supervisor/place/words.h"
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
};

Fitted FitToMemory(const Machine& machine, const PlacementRequest& request, const Split& split,
                   std::vector<std::string>& warnings) {
  Fitted fitted{false, split.workers};
  const int64_t limit = machine.UsableMemory();
  const MemoryNeed& need = request.need;
  if (limit == 0) return fitted;
  const int templates = std::min(split.workers, static_cast<int>(machine.nodes.size()));
  int arenas = std::min(split.workers, CountArenas(machine));
  const int64_t worker_bytes = need.engine_bytes * split.engines;
  if (arenas > 1 && Need(need, arenas, templates, int64_t{split.workers} * split.engines) > limit &&
      Need(need, arenas, templates, 0) > limit / 2) {
    fitted.one_arena = true;
    arenas = 1;
    warnings.push_back(LimitWords(machine) + " has no room for the weights (" +
                       Bytes(need.weights_bytes) +
                       ") on each NUMA node: they are held once, and some workers read them from "
                       "another node");
  }
  if (request.workers) return fitted;
  const int64_t left = limit - Need(need, arenas, templates, 0);
  const int64_t room = worker_bytes > 0 ? std::max<int64_t>(0, left) / worker_bytes : split.workers;
  if (room >= split.workers) return fitted;
  fitted.workers = static_cast<int>(std::max<int64_t>(1, room));
  if (room == 0) {
    warnings.push_back(LimitWords(machine) + " may be too little for even one worker (about " +
                       Bytes(Need(need, 1, 1, split.engines)) + " in all, " +
                       Bytes(need.weights_bytes) + " of it weights)");
  } else {
    warnings.push_back(LimitWords(machine) + " has room for " + Counted(room, "worker") +
                       " instead of " + std::to_string(split.workers) + " (weights " +
                       Bytes(need.weights_bytes * arenas) + ", about " + Bytes(worker_bytes) +
                       " a worker); -p sets another number");
  }
  return fitted;
}

}  // namespace

Placement Place(const Machine& machine, const PlacementRequest& request) {
  Placement placement;
  placement.split = ChooseSplit(machine, request.workers, request.engines);
  const Fitted fitted = FitToMemory(machine, request, placement.split, placement.warnings);
  placement.split.workers = fitted.workers;
  placement.workers = PlaceWorkers(machine, fitted.workers, placement.split.engines);

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
  return placement;
}

}  // namespace consort
