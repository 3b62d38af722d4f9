// The CPUs and the memory that we may use.
//
// Usable is what the affinity mask, the cpuset, and the cgroup's CPU quota and memory limit allow,
// not what the machine has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/place/cgroup.h"

namespace consort {

// One processing unit (a hardware thread).
struct Cpu {
  int os_index = 0;
  int core = 0;      // numbered over the machine
  int node = 0;      // index in Machine::nodes
  int smt_rank = 0;  // 0: the first usable one of its core
  int kind = 0;      // 0: the fastest kind of core; 1, 2, …: slower ones of a hybrid CPU
};

struct Node {
  int os_index = 0;
  int cores = 0;  // usable physical ones
  // os indices in the order to be used: one of each core, fast cores first, then siblings.
  std::vector<int> cpus;
  // The kernel's number of the node whose memory these CPUs are to use: its own, or the nearest
  // one's if it has none (or none that we may use).
  int memory_node = 0;
};

struct Machine {
  std::vector<Node> nodes;  // those with a usable CPU; at least one
  std::vector<Cpu> cpus;    // in the machine's logical order
  int usable_cpus = 0;      // at least 1; the quota rounded up
  int usable_cores = 0;     // at least 1; physical cores, never more than usable_cpus
  int kinds = 1;            // of usable cores: 2 or more on a hybrid CPU
  int memory_nodes = 1;     // that the machine has and we may use
  std::optional<CpuQuota> quota;
  int64_t memory_bytes = 0;                 // of the machine; 0: not known
  std::optional<MemoryLimit> memory_limit;  // tighter than memory_bytes

  // The quota leaves a choice of CPUs.
  bool QuotaBinds() const { return quota && usable_cpus < static_cast<int>(cpus.size()); }
  // What we may use in all; 0: not known.
  int64_t UsableMemory() const { return memory_limit ? memory_limit->bytes : memory_bytes; }
};

Result<Machine> ReadMachine();

// MemTotal of /proc/meminfo; 0: not known. `root` as in cgroup.h.
int64_t ReadMemoryBytes(const std::string& root = "");

}  // namespace consort
