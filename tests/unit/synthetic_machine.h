// Machines that no test runs on, by hwloc's descriptions of them.
#pragma once

#include <gtest/gtest.h>
#include <hwloc.h>

#include <functional>
#include <string>

#include "supervisor/place/hwloc_machine.h"

namespace consort {

class Topology {
 public:
  // `description`: hwloc's synthetic syntax, e.g. "package:2 [numa] core:4 pu:2".
  explicit Topology(const std::string& description) {
    EXPECT_EQ(hwloc_topology_init(&topology_), 0);
    EXPECT_EQ(hwloc_topology_set_synthetic(topology_, description.c_str()), 0) << description;
    EXPECT_EQ(hwloc_topology_load(topology_), 0);
  }
  ~Topology() { hwloc_topology_destroy(topology_); }
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  // As XML, changed, and read again: what the synthetic syntax cannot say.
  Topology& Edit(const std::function<void(std::string&)>& change) {
    char* buffer = nullptr;
    int size = 0;
    EXPECT_EQ(hwloc_topology_export_xmlbuffer(topology_, &buffer, &size, 0), 0);
    std::string xml(buffer, static_cast<size_t>(size) - 1);
    hwloc_free_xmlbuffer(topology_, buffer);
    change(xml);
    hwloc_topology_destroy(topology_);
    EXPECT_EQ(hwloc_topology_init(&topology_), 0);
    EXPECT_EQ(
        hwloc_topology_set_xmlbuffer(topology_, xml.c_str(), static_cast<int>(xml.size()) + 1), 0);
    EXPECT_EQ(hwloc_topology_load(topology_), 0);
    return *this;
  }

  // Leaves out all CPUs but these, as if the machine had no others.
  Topology& Only(const std::string& cpus) {
    const hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_list_sscanf(set, cpus.c_str());
    EXPECT_EQ(hwloc_topology_restrict(topology_, set, 0), 0);
    hwloc_bitmap_free(set);
    return *this;
  }

  // A kind of core; the larger `speed`, the faster.
  Topology& Kind(const std::string& cpus, int speed) {
    const hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_list_sscanf(set, cpus.c_str());
    EXPECT_EQ(hwloc_cpukinds_register(topology_, set, speed, 0, nullptr, 0), 0);
    hwloc_bitmap_free(set);
    return *this;
  }

  // `mask`: an affinity mask, "0-3,8"; empty: none.
  Machine Read(const std::string& mask = "", const MachineLimits& limits = {}) {
    const hwloc_bitmap_t set = hwloc_bitmap_alloc();
    hwloc_bitmap_list_sscanf(set, mask.c_str());
    auto machine = MachineFrom(topology_, mask.empty() ? nullptr : set, limits);
    hwloc_bitmap_free(set);
    EXPECT_TRUE(machine);
    return machine ? machine.value() : Machine{};
  }

  hwloc_topology_t get() const { return topology_; }

 private:
  hwloc_topology_t topology_ = nullptr;
};

inline MachineLimits QuotaOf(double cpus) {
  MachineLimits limits;
  limits.quota = CpuQuota{cpus, "/cpu.max"};
  return limits;
}

}  // namespace consort
