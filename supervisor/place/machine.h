// The CPUs that we may use, and how a job is laid over them.
//
// Usable is what the affinity mask and the cgroup's CPU quota allow, not what the machine has.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace consort {

// One processing unit (a hardware thread).
struct Cpu {
  int os_index = 0;
  int core = 0;      // numbered over the machine
  int node = 0;      // index in Machine::nodes
  int smt_rank = 0;  // 0: the first usable one of its core
};

struct Node {
  int os_index = 0;
  int cores = 0;  // usable physical ones
  std::vector<int>
      cpus;  // os indices in the order to be used: the first of each core, then siblings
};

struct Machine {
  std::vector<Node> nodes;  // those with a usable CPU; at least one
  std::vector<Cpu> cpus;    // in the machine's logical order
  int usable_cpus = 0;      // at least 1; the quota rounded up
  int usable_cores = 0;     // at least 1; physical cores, never more than usable_cpus
};

Result<Machine> ReadMachine();

struct WorkerPlace {
  int node = 0;           // index in Machine::nodes
  std::vector<int> cpus;  // os index of a CPU for each engine
};

// Workers go to the node that is least full, engines to its physical cores first, then to their
// siblings. More engines than CPUs start over from the first.
std::vector<WorkerPlace> PlaceWorkers(const Machine& machine, int workers, int engines);

struct Split {
  int workers = 1;
  int engines = 1;
};

// What was not chosen: together one engine a usable physical core; an engine a worker, unless
// engines are chosen.
Split ChooseSplit(const Machine& machine, std::optional<int> workers, std::optional<int> engines);

// CPUs that the cgroup's quota (v1 or v2, the tightest up to the root) is worth, e.g. 1.5; nullopt
// if there is none. `root` is put before /proc and /sys, for tests.
std::optional<double> ReadCpuQuota(const std::string& root = "");

}  // namespace consort
