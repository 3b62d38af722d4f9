// CPUs: what the machine has, and what is left of it.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "supervisor/doctor/checks.h"
#include "supervisor/place/words.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Level = Finding::Level;

std::vector<int> Online(const Survey& survey) {
  return ParseCpuList(survey.Line("/sys/devices/system/cpu/online"));
}

std::vector<int> Sorted(std::vector<int> cpus) {
  std::ranges::sort(cpus);
  return cpus;
}

std::vector<int> Minus(const std::vector<int>& all, const std::vector<int>& some) {
  std::vector<int> left;
  std::ranges::set_difference(Sorted(all), Sorted(some), std::back_inserter(left));
  return left;
}

// The value behind `key` in /proc/cpuinfo, of the first processor.
std::string CpuInfo(const Survey& survey, const std::string& key) {
  std::ifstream info(survey.root + "/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

std::set<std::string> Flags(const Survey& survey) {
  std::istringstream words(CpuInfo(survey, "flags"));
  return {std::istream_iterator<std::string>(words), {}};
}

int UsableCores(const Machine& machine) {
  int cores = 0;
  for (const Node& node : machine.nodes) cores += node.cores;
  return cores;
}

}  // namespace

std::optional<Finding> CheckMachine(const Survey& survey) {
  const auto online = static_cast<int64_t>(Online(survey).size());
  std::string found = CpuInfo(survey, "model name");
  if (found.empty()) found = "a CPU that does not tell its name";
  if (online > 0) found += ", " + Counted(online, "CPU");
  // What a quota leaves of them is a finding of its own.
  found += "; usable: " + Counted(static_cast<int64_t>(survey.machine.cpus.size()), "CPU") +
           " on " + Counted(UsableCores(survey.machine), "core") + " of " +
           Counted(static_cast<int64_t>(survey.machine.nodes.size()), "NUMA node");
  if (survey.machine.memory_bytes > 0) found += ", " + Bytes(survey.machine.memory_bytes);
  if (Flags(survey).contains("hypervisor")) found += "; a virtual machine";
  return Finding{Level::kFine, found};
}

std::optional<Finding> CheckInstructions(const Survey& survey) {
  const auto flags = Flags(survey);
  if (flags.empty()) return std::nullopt;
  std::string found;
  const std::pair<const char*, const char*> known[] = {
      {"avx2", "AVX2"},         {"avx512f", "AVX-512"},  {"avx512_vnni", "VNNI (int8)"},
      {"avx_vnni", "AVX-VNNI"}, {"avx512_bf16", "bf16"}, {"amx_int8", "AMX int8"},
      {"amx_bf16", "AMX bf16"}};
  for (const auto& [flag, name] : known) {
    if (flags.contains(flag)) found += (found.empty() ? "" : ", ") + std::string(name);
  }
  if (!flags.contains("avx2")) {
    return Finding{
        Level::kCosts, "no AVX2", "LibTorch's kernels are several times slower without it",
        flags.contains("hypervisor") ? "give the virtual machine the host's CPU (qemu: -cpu host)"
                                     : ""};
  }
  return Finding{Level::kFine, found};
}

std::optional<Finding> CheckCpuset(const Survey& survey) {
  const auto cpuset = ReadCpuset(survey.root);
  const auto online = Online(survey);
  if (!cpuset || online.empty()) return std::nullopt;
  const auto denied = Minus(online, ParseCpuList(cpuset->list));
  if (denied.empty()) return std::nullopt;
  return Finding{
      Level::kCosts,
      "the cpuset allows CPUs " + cpuset->list + " of " + CpuListWords(online) + " (" +
          cpuset->file + ")",
      "it leaves " + Counted(static_cast<int64_t>(denied.size()), "CPU") + " of this machine idle",
      "give the container or the batch job more CPUs (docker update --cpuset-cpus " +
          CpuListWords(online) + " CONTAINER)"};
}

std::optional<Finding> CheckAffinity(const Survey& survey) {
  auto could = Online(survey);
  if (const auto cpuset = ReadCpuset(survey.root)) {
    const auto denied = Minus(could, ParseCpuList(cpuset->list));
    could = Minus(could, denied);
  }
  const auto left_out = Minus(could, ParseCpuList(survey.affinity));
  if (left_out.empty()) {
    return Finding{Level::kFine, "CPUs " + survey.affinity + ": the mask leaves none out"};
  }
  return Finding{Level::kCosts,
                 "the affinity mask has " +
                     std::string(survey.machine.cpus.size() == 1 ? "CPU " : "CPUs ") +
                     survey.affinity + " of " + CpuListWords(could),
                 "it leaves " + Counted(static_cast<int64_t>(left_out.size()), "CPU") + " idle",
                 "taskset -c " + CpuListWords(could) + " consort run ..."};
}

std::optional<Finding> CheckQuota(const Survey& survey) {
  const auto& quota = survey.machine.quota;
  if (!quota) return Finding{Level::kFine, "no CPU quota"};
  const std::string cpus = DecimalWords(quota->cpus);
  const std::string found =
      "a quota of " + cpus + (cpus == "1" ? " CPU (" : " CPUs (") + quota->file + ")";
  const auto have = static_cast<int>(survey.machine.cpus.size());
  if (quota->cpus >= have) return Finding{Level::kFine, found + ", no fewer than may be used"};
  const bool version_two = quota->file.ends_with("cpu.max");
  const int engines = survey.machine.usable_cores;
  return Finding{Level::kCosts, found + " for " + Counted(have, "CPU"),
                 "all engines together stand still when it is used up, many times a second; " +
                     (engines == 1 ? std::string("1 engine uses it")
                                   : std::to_string(engines) + " engines on one core each use it") +
                     " to the full",
                 std::string("echo ") + (version_two ? "max" : "-1") + " | sudo tee " +
                     quota->file + "  (docker update --cpus " + std::to_string(have) +
                     " CONTAINER)"};
}

std::optional<Finding> CheckSiblings(const Survey& survey) {
  const int cores = UsableCores(survey.machine);
  const auto cpus = static_cast<int>(survey.machine.cpus.size());
  if (cpus == cores) return std::nullopt;
  return Finding{
      Level::kFine, Counted(cpus, "CPU") + " on " + Counted(cores, "core") + ": SMT siblings",
      "an engine a core; siblings are used if -p and -t ask for more, or if a longer job "
      "finds that faster"};
}

std::optional<Finding> CheckKinds(const Survey& survey) {
  if (survey.machine.kinds < 2) return std::nullopt;
  std::vector<int> fast;
  std::vector<int> slow;
  for (const Cpu& cpu : survey.machine.cpus) {
    (cpu.kind == 0 ? fast : slow).push_back(cpu.os_index);
  }
  return Finding{Level::kNote,
                 Counted(survey.machine.kinds, "kind") + " of cores: CPUs " + CpuListWords(fast) +
                     " are fast, " + CpuListWords(slow) + " slower",
                 "one engine for each core all the same, fast ones first: work goes to whoever is "
                 "free, so slow ones only take less of it"};
}

}  // namespace consort
