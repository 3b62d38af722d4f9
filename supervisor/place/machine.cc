#include "supervisor/place/machine.h"

#include <fstream>
#include <memory>

#include "supervisor/place/hwloc_machine.h"

namespace consort {
namespace {

struct Destroy {
  void operator()(hwloc_topology* topology) const { ::hwloc_topology_destroy(topology); }
};
struct FreeBitmap {
  void operator()(hwloc_bitmap_s* bitmap) const { ::hwloc_bitmap_free(bitmap); }
};

}  // namespace

int64_t ReadMemoryBytes(const std::string& root) {
  std::ifstream meminfo(root + "/proc/meminfo");
  std::string key;
  int64_t kib = 0;
  return meminfo >> key >> kib && key == "MemTotal:" ? kib << 10 : 0;
}

Result<Machine> ReadMachine() {
  const auto failed = [](const char* step) {
    return Error{std::string("could not read this machine's CPUs: ") + step + " failed"};
  };
  hwloc_topology_t raw = nullptr;
  if (::hwloc_topology_init(&raw) != 0) return failed("hwloc_topology_init");
  std::unique_ptr<hwloc_topology, Destroy> topology(raw);
  if (::hwloc_topology_load(raw) != 0) return failed("hwloc_topology_load");
  std::unique_ptr<hwloc_bitmap_s, FreeBitmap> mask(::hwloc_bitmap_alloc());
  // Of this thread: of the process would be the union over its threads.
  const bool has_mask = mask && ::hwloc_get_cpubind(raw, mask.get(), HWLOC_CPUBIND_THREAD) == 0;
  return MachineFrom(
      raw, has_mask ? mask.get() : nullptr,
      {.quota = ReadCpuQuota(), .memory = ReadMemoryLimit(), .memory_bytes = ReadMemoryBytes()});
}

}  // namespace consort
