#include "supervisor/doctor/checks.h"

#include <algorithm>
#include <utility>

namespace consort {
namespace {

constexpr CheckRow kChecks[] = {
    {"machine", CheckMachine},
    {"instructions", CheckInstructions},
    {"cpuset", CheckCpuset},
    {"affinity", CheckAffinity},
    {"quota", CheckQuota},
    {"siblings", CheckSiblings},
    {"hybrid", CheckKinds},
    {"governor", CheckGovernor},
    {"turbo", CheckTurbo},
    {"load", CheckLoad},
    {"stolen", CheckSteal},
    {"memory", CheckFreeMemory},
    {"memory limit", CheckMemoryLimit},
    {"swap", CheckSwap},
    {"huge pages", CheckHugePages},
    {"memlock", CheckMemlock},
    {"nodes", CheckNodes},
    {"allocator", CheckAllocator},
    {"preload", CheckPreload},
    {"kernels", CheckInstructionLimits},
    {"threads", CheckThreadVariables},
    {"cores", CheckCores},
    {"bundle", CheckBundle},
    {"profiles", CheckConfigHome},
};

}  // namespace

std::span<const CheckRow> AllChecks() { return kChecks; }

std::vector<NamedFinding> Examine(const Survey& survey) {
  std::vector<NamedFinding> findings;
  for (const auto& row : kChecks) {
    if (auto finding = row.check(survey)) findings.push_back({row.name, std::move(*finding)});
  }
  return findings;
}

bool CostsSpeed(const std::vector<NamedFinding>& findings) {
  return std::ranges::any_of(
      findings, [](const auto& it) { return it.finding.level == Finding::Level::kCosts; });
}

}  // namespace consort
