// What the doctor can find: one function a finding, one line in the table (checks.cc).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "supervisor/doctor/survey.h"

namespace consort {

struct Finding {
  enum class Level {
    kFine,
    kNote,   // good to know, costs nothing measurable now
    kCosts,  // costs speed
  } level = Level::kFine;
  std::string found;        // one clause, lower case
  std::string why = {};     // what it does to a job; empty if that is plain
  std::string change = {};  // a command, or what to do; empty: nothing to be done
};

// Nothing: there is nothing to tell on this machine.
using Check = std::optional<Finding> (*)(const Survey&);

struct CheckRow {
  const char* name;
  Check check;
};

std::span<const CheckRow> AllChecks();

struct NamedFinding {
  std::string name;
  Finding finding;
};

std::vector<NamedFinding> Examine(const Survey& survey);
bool CostsSpeed(const std::vector<NamedFinding>& findings);

// check_cpus.cc
std::optional<Finding> CheckMachine(const Survey& survey);
std::optional<Finding> CheckInstructions(const Survey& survey);
std::optional<Finding> CheckCpuset(const Survey& survey);
std::optional<Finding> CheckAffinity(const Survey& survey);
std::optional<Finding> CheckQuota(const Survey& survey);
std::optional<Finding> CheckSiblings(const Survey& survey);
std::optional<Finding> CheckKinds(const Survey& survey);
// check_frequency.cc
std::optional<Finding> CheckGovernor(const Survey& survey);
std::optional<Finding> CheckTurbo(const Survey& survey);
std::optional<Finding> CheckLoad(const Survey& survey);
std::optional<Finding> CheckSteal(const Survey& survey);
// check_memory.cc
std::optional<Finding> CheckMemoryLimit(const Survey& survey);
std::optional<Finding> CheckFreeMemory(const Survey& survey);
std::optional<Finding> CheckSwap(const Survey& survey);
std::optional<Finding> CheckHugePages(const Survey& survey);
std::optional<Finding> CheckMemlock(const Survey& survey);
std::optional<Finding> CheckNodes(const Survey& survey);
// check_environment.cc
std::optional<Finding> CheckAllocator(const Survey& survey);
std::optional<Finding> CheckPreload(const Survey& survey);
std::optional<Finding> CheckInstructionLimits(const Survey& survey);
std::optional<Finding> CheckThreadVariables(const Survey& survey);
std::optional<Finding> CheckCores(const Survey& survey);
std::optional<Finding> CheckBundle(const Survey& survey);
std::optional<Finding> CheckConfigHome(const Survey& survey);

}  // namespace consort
