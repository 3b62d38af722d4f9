// What the control groups that we are in allow, v1 and v2: the tightest of our own group and of
// those above it.
//
// `root` is put before /proc and /sys, for tests; files are named without it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace consort {

struct CpuQuota {
  double cpus = 0;   // e.g. 1.5: so much CPU time in each unit of time
  std::string file;  // where it stands
};
std::optional<CpuQuota> ReadCpuQuota(const std::string& root = "");

struct MemoryLimit {
  int64_t bytes = 0;
  std::string file;
};
// memory.max and memory.high (v2), memory.limit_in_bytes (v1). Beyond `high` a group is not ended
// but slowed down until nothing moves, so it is a limit as well.
std::optional<MemoryLimit> ReadMemoryLimit(const std::string& root = "");

// Where the kernel counts how many processes it has ended for memory: in our own group (`oom_kill`
// in memory.events of v2, in memory.oom_control of v1), else on this machine (/proc/vmstat). With
// `root` before it; empty: nowhere.
std::string OomKillFile(const std::string& root = "");

struct CpusetCpus {
  std::string list;  // "0-3,8"
  std::string file;
};
// For what is told to a person; which CPUs may be used is asked from the kernel.
std::optional<CpusetCpus> ReadCpuset(const std::string& root = "");

}  // namespace consort
