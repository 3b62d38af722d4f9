// How fast the CPUs run, and for whom.
#include <map>
#include <sstream>

#include "supervisor/doctor/checks.h"
#include "supervisor/place/words.h"

namespace consort {
namespace {

using Level = Finding::Level;

constexpr double kNoticeable = 0.05;  // of the CPU time; less is the machine's own housekeeping

std::string CpuFolder(int cpu) {
  return "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/";
}

std::string Percent(double share) {
  return std::to_string(static_cast<int>(share * 100 + 0.5)) + "%";
}

// Of the time of CPUs that we may use: busy, and taken by the host.
std::pair<double, double> Shares(const Survey& survey) {
  CpuTimes sum;
  for (const Cpu& cpu : survey.machine.cpus) {
    const auto before = survey.before.find(cpu.os_index);
    const auto after = survey.after.find(cpu.os_index);
    if (before == survey.before.end() || after == survey.after.end()) continue;
    sum.busy += after->second.busy - before->second.busy;
    sum.total += after->second.total - before->second.total;
    sum.stolen += after->second.stolen - before->second.stolen;
  }
  if (sum.total <= 0) return {0, 0};
  const auto total = static_cast<double>(sum.total);
  return {static_cast<double>(sum.busy - sum.stolen) / total,
          static_cast<double>(sum.stolen) / total};
}

}  // namespace

std::optional<Finding> CheckGovernor(const Survey& survey) {
  std::map<std::string, std::vector<int>> governors;
  for (const Cpu& cpu : survey.machine.cpus) {
    const auto governor = survey.Line(CpuFolder(cpu.os_index) + "scaling_governor");
    if (!governor.empty()) governors[governor].push_back(cpu.os_index);
  }
  if (governors.empty()) return Finding{Level::kFine, "no frequency control here"};
  const std::string driver =
      survey.Line(CpuFolder(survey.machine.cpus.front().os_index) + "scaling_driver");
  // With these drivers "powersave" only means that the CPU itself decides.
  const bool decides_itself = driver == "intel_pstate" || driver.starts_with("amd-pstate-epp") ||
                              driver.starts_with("amd_pstate_epp");
  std::string found;
  bool slow = false;
  for (const auto& [governor, cpus] : governors) {
    found += (found.empty() ? "" : ", ") + governor;
    if (governors.size() > 1) found += " (CPUs " + CpuListWords(cpus) + ")";
    slow |= governor != "performance" && !(decides_itself && governor == "powersave");
  }
  if (!driver.empty()) found += ", driver " + driver;
  if (!slow) return Finding{Level::kFine, found};
  return Finding{Level::kCosts, found, "clocks follow the load late, or not at all",
                 "sudo cpupower frequency-set -g performance"};
}

std::optional<Finding> CheckTurbo(const Survey& survey) {
  if (survey.Line("/sys/devices/system/cpu/intel_pstate/no_turbo") == "1") {
    return Finding{Level::kCosts, "turbo is off", "all cores stay at their base clock",
                   "echo 0 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"};
  }
  if (survey.Line("/sys/devices/system/cpu/cpufreq/boost") == "0") {
    return Finding{Level::kCosts, "boost is off", "all cores stay at their base clock",
                   "echo 1 | sudo tee /sys/devices/system/cpu/cpufreq/boost"};
  }
  const auto folder = CpuFolder(survey.machine.cpus.front().os_index);
  int64_t allowed = 0;
  int64_t possible = 0;
  std::istringstream(survey.Line(folder + "scaling_max_freq")) >> allowed;
  std::istringstream(survey.Line(folder + "cpuinfo_max_freq")) >> possible;
  if (allowed <= 0 || possible <= 0) return std::nullopt;
  const auto ghz = [](int64_t khz) {
    return DecimalWords(static_cast<double>(khz) / 1e6) + " GHz";
  };
  if (allowed >= possible) return Finding{Level::kFine, "up to " + ghz(possible)};
  return Finding{Level::kCosts, "clocks are capped at " + ghz(allowed) + " of " + ghz(possible), "",
                 "sudo cpupower frequency-set -u " + std::to_string(possible) + "kHz"};
}

std::optional<Finding> CheckLoad(const Survey& survey) {
  const double busy = Shares(survey).first;
  const std::string load = survey.Line("/proc/loadavg");
  const std::string average = load.substr(0, load.find(' '));
  std::string found = Percent(busy) + " of the usable CPUs' time is taken by other programs";
  if (!average.empty()) found += " (load average " + average + ")";
  if (busy < kNoticeable) return Finding{Level::kFine, found};
  return Finding{Level::kCosts, found,
                 "an engine that shares its core is slower, and the job waits for it at its end",
                 "ps -eo pid,pcpu,comm --sort=-pcpu | head  shows whose it is"};
}

std::optional<Finding> CheckSteal(const Survey& survey) {
  const double stolen = Shares(survey).second;
  if (stolen < kNoticeable) return std::nullopt;
  return Finding{Level::kCosts,
                 Percent(stolen) + " of the CPUs' time is taken by the host for other machines",
                 "this virtual machine shares its cores", "ask for cores of its own"};
}

}  // namespace consort
