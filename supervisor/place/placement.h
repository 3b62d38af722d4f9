// How a job is laid over the machine: the split, each engine's CPU, each node's template and
// weights arena.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/place/machine.h"

namespace consort {

struct Split {
  int workers = 1;
  int engines = 1;
};

// What a job takes, for a machine whose memory is bounded. Estimates but for the weights.
struct MemoryNeed {
  int64_t weights_bytes = 0;   // of one arena
  int64_t common_bytes = 0;    // once
  int64_t template_bytes = 0;  // a node
  int64_t engine_bytes = 0;    // an engine, at work
};

struct PlacementRequest {
  std::optional<int> workers;  // nullopt: auto
  std::optional<int> engines;
  MemoryNeed need;
  bool spare = false;  // find places for more workers, up to one for each usable CPU
};

struct WorkerPlace {
  int node = 0;           // index in Machine::nodes; in a Placement: in Placement::nodes
  std::vector<int> cpus;  // os index of a CPU for each engine
};

// A node with work: one template.
struct PlacedNode {
  int os_index = 0;
  size_t arena = 0;       // index in Placement::arenas
  std::vector<int> cpus;  // where its template and workers may run; empty: as we were given
};

// One copy of the weights.
struct PlacedArena {
  int memory_node = -1;   // the kernel's number; -1: wherever, there is only one
  std::vector<int> cpus;  // near it; empty with -1
};

struct Placement {
  Split split;
  std::vector<PlacedNode> nodes;
  std::vector<PlacedArena> arenas;  // at least one
  std::vector<WorkerPlace> workers;
  // For more workers, if they were asked for: as many as there are CPUs left, or none, where memory
  // has no room for them.
  std::vector<WorkerPlace> spare;
  std::vector<std::string> warnings;  // for the person
  int64_t need_bytes = 0;             // estimate of the whole, without the spare ones
};

Placement Place(const Machine& machine, const PlacementRequest& request);

// Workers go to the node that is least full, engines to its physical cores first, then to their
// siblings. More engines than CPUs start over from the first. The first n of more workers have the
// places of n workers.
std::vector<WorkerPlace> PlaceWorkers(const Machine& machine, int workers, int engines);

// What was not chosen: together one engine a usable physical core; an engine a worker, unless
// engines are chosen.
Split ChooseSplit(const Machine& machine, std::optional<int> workers, std::optional<int> engines);

}  // namespace consort
