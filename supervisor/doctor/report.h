// Findings and plan in words for a person, or as JSON for a program.
#pragma once

#include <string>
#include <vector>

#include "supervisor/doctor/checks.h"

namespace consort {

// Why the split is what it is: sentences.
std::vector<std::string> PlanReasons(const Survey& survey);

std::string TextReport(const Survey& survey, const std::vector<NamedFinding>& findings);
std::string JsonReport(const Survey& survey, const std::vector<NamedFinding>& findings);

}  // namespace consort
