#include "supervisor/place/cgroup.h"

#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

namespace consort {
namespace {

// v1 says "no limit" with the largest number of whole pages; nobody means a limit beyond this.
constexpr double kNoMemoryLimit = 1e18;

std::string FirstWord(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

// "max" (v2) and -1 (v1) are no limits.
std::optional<double> Positive(const std::string& word) {
  try {
    const double number = std::stod(word);
    if (number > 0) return number;
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

bool Lists(std::string_view controllers, const std::string& controller) {
  return ("," + std::string(controllers) + ",").find("," + controller + ",") != std::string::npos;
}

// `group` and those above it, up to the mount. In a container the group's own path may not be
// there, and the mount is the container's group: the way up ends at it.
void AddWayUp(const std::string& mount, std::string group, std::vector<std::string>& folders) {
  // Outside of the namespace that we see: only the mount is ours to look at.
  if (group.starts_with("/..")) group.clear();
  if (group == "/") group.clear();
  for (;;) {
    folders.push_back(mount + group);
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return;
    group.resize(slash);
  }
}

// Where limits of `controller` may stand, the innermost group first.
std::vector<std::string> GroupFolders(const std::string& root, const std::string& controller) {
  const std::string groups = root + "/sys/fs/cgroup";
  std::vector<std::string> folders;
  std::ifstream list(root + "/proc/self/cgroup");
  // `0::/path` for v2, `4:cpu,cpuacct:/path` for v1.
  for (std::string line; std::getline(list, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      AddWayUp(groups, group, folders);
      AddWayUp(groups + "/unified", group, folders);
    } else if (Lists(controllers, controller)) {
      AddWayUp(groups + '/' + controller, group, folders);
      if (controllers != controller) AddWayUp(groups + '/' + controllers, group, folders);
    }
  }
  return folders;
}

}  // namespace

std::optional<CpuQuota> ReadCpuQuota(const std::string& root) {
  std::optional<CpuQuota> tightest;
  const auto consider = [&](const std::string& quota, const std::string& period,
                            const std::string& file) {
    const auto most = Positive(quota);
    const auto of = Positive(period);
    if (!most || !of || (tightest && tightest->cpus <= *most / *of)) return;
    tightest = CpuQuota{*most / *of, file.substr(root.size())};
  };
  for (const std::string& folder : GroupFolders(root, "cpu")) {
    std::string quota;
    std::string period;
    if (std::ifstream(folder + "/cpu.max") >> quota >> period) {
      consider(quota, period, folder + "/cpu.max");
    }
    consider(FirstWord(folder + "/cpu.cfs_quota_us"), FirstWord(folder + "/cpu.cfs_period_us"),
             folder + "/cpu.cfs_quota_us");
  }
  return tightest;
}

std::optional<MemoryLimit> ReadMemoryLimit(const std::string& root) {
  std::optional<MemoryLimit> tightest;
  for (const std::string& folder : GroupFolders(root, "memory")) {
    for (const char* name : {"/memory.max", "/memory.high", "/memory.limit_in_bytes"}) {
      const auto bytes = Positive(FirstWord(folder + name));
      if (!bytes || *bytes > kNoMemoryLimit) continue;
      if (tightest && static_cast<double>(tightest->bytes) <= *bytes) continue;
      tightest = MemoryLimit{static_cast<int64_t>(*bytes), (folder + name).substr(root.size())};
    }
  }
  return tightest;
}

std::string OomKillFile(const std::string& root) {
  // The innermost that is there: of version 1, those above do not count what happens in it.
  for (const std::string& folder : GroupFolders(root, "memory")) {
    for (const char* name : {"/memory.events", "/memory.oom_control"}) {
      if (std::ifstream(folder + name).good()) return folder + name;
    }
  }
  const std::string machine = root + "/proc/vmstat";
  return std::ifstream(machine).good() ? machine : "";
}

std::optional<CpusetCpus> ReadCpuset(const std::string& root) {
  for (const std::string& folder : GroupFolders(root, "cpuset")) {
    for (const char* name : {"/cpuset.cpus.effective", "/cpuset.effective_cpus", "/cpuset.cpus"}) {
      std::string list = FirstWord(folder + name);
      if (!list.empty()) return CpusetCpus{std::move(list), (folder + name).substr(root.size())};
    }
  }
  return std::nullopt;
}

}  // namespace consort
