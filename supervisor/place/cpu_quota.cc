// The CPU quota of our cgroup and of those above it, v1 and v2.
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/place/machine.h"

namespace consort {
namespace {

std::optional<double> Ratio(const std::string& quota, const std::string& period) {
  try {
    const double most = std::stod(quota);  // "max" (v2) throws, -1 (v1) is no quota
    const double of = std::stod(period);
    if (most > 0 && of > 0) return most / of;
  } catch (const std::exception&) {
  }
  return std::nullopt;
}

std::string FirstWord(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

std::optional<double> QuotaOfFolder(const std::string& folder) {
  std::string quota;
  std::string period;
  if (std::ifstream(folder + "/cpu.max") >> quota >> period) return Ratio(quota, period);
  return Ratio(FirstWord(folder + "/cpu.cfs_quota_us"), FirstWord(folder + "/cpu.cfs_period_us"));
}

// The tightest on the way from `group` up to the mount. In a container the group's own path may
// not be there, and the mount is the container's group: the way up ends at it.
void Tighten(const std::string& mount, std::string group, std::optional<double>& tightest) {
  for (;;) {
    const auto quota = QuotaOfFolder(mount + group);
    if (quota && (!tightest || *quota < *tightest)) tightest = quota;
    const size_t slash = group.rfind('/');
    if (slash == std::string::npos) return;
    group.resize(slash);
  }
}

bool HasCpuController(std::string_view controllers) {
  const std::string listed = "," + std::string(controllers) + ",";
  return listed.find(",cpu,") != std::string::npos;
}

}  // namespace

std::optional<double> ReadCpuQuota(const std::string& root) {
  const std::string groups = root + "/sys/fs/cgroup";
  std::optional<double> tightest;
  std::ifstream list(root + "/proc/self/cgroup");
  // `0::/path` for v2, `4:cpu,cpuacct:/path` for v1.
  for (std::string line; std::getline(list, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      Tighten(groups, group, tightest);
      Tighten(groups + "/unified", group, tightest);
    } else if (HasCpuController(controllers)) {
      Tighten(groups + "/cpu", group, tightest);
      Tighten(groups + '/' + controllers, group, tightest);
    }
  }
  return tightest;
}

}  // namespace consort
