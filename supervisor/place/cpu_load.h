// How busy each CPU is, by two looks at /proc/stat a moment apart.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace consort {

// Since the machine started, in the kernel's ticks (10 ms).
struct CpuTimes {
  int64_t busy = 0;   // for anybody, or taken by the host of a virtual machine
  int64_t total = 0;  // busy or idle
  int64_t stolen = 0;
};
using AllCpuTimes = std::map<int, CpuTimes>;  // by os index

// `root` as in cgroup.h. Empty if it cannot be read.
AllCpuTimes ReadCpuTimes(const std::string& root = "");

// Share of the time between the two that each CPU was busy, 0 to 1.
std::map<int, double> BusyShares(const AllCpuTimes& before, const AllCpuTimes& after);

}  // namespace consort
