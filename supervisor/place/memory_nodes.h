// Which NUMA nodes have memory that we may use. Nodes without CPUs count; nodes without memory, or
// whose memory the cpuset denies us, do not.
#pragma once

#include <hwloc.h>

#include <string>

namespace consort {

// The kernel's number of the node that `pu` is local to. With several (fast memory beside plain),
// the first. On x86 hwloc leaves out nodes without memory: the kernel's files tell of them. `root`
// as in cgroup.h.
int NodeOf(hwloc_topology_t topology, hwloc_obj_t pu, const std::string& root);

// The kernel's number of the node with memory that is nearest to node `os_index`: itself if it has
// some, else by the distances that the firmware tells, else the next number below or above.
int NearestMemoryNode(hwloc_topology_t topology, int os_index, const std::string& root);

// At least 1.
int CountMemoryNodes(hwloc_topology_t topology);

}  // namespace consort
