#include "supervisor/doctor/report.h"

#include <map>
#include <nlohmann/json.hpp>

#include "supervisor/place/words.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr size_t kNameWidth = 14;

std::string Padded(std::string name) {
  if (name.size() < kNameWidth) name.resize(kNameWidth, ' ');
  return name;
}

std::vector<int> EngineCpus(const Placement& placement, size_t node) {
  std::vector<int> cpus;
  for (const auto& worker : placement.workers) {
    if (static_cast<size_t>(worker.node) != node) continue;
    cpus.insert(cpus.end(), worker.cpus.begin(), worker.cpus.end());
  }
  return cpus;
}

int64_t WorkersOf(const Placement& placement, size_t node) {
  int64_t count = 0;
  for (const auto& worker : placement.workers) count += static_cast<size_t>(worker.node) == node;
  return count;
}

std::string MemoryWords(const Placement& placement, const PlacedNode& node) {
  const int memory_node = placement.arenas[node.arena].memory_node;
  if (memory_node < 0) return "";
  return ", weights in the memory of node " + std::to_string(memory_node);
}

}  // namespace

std::vector<std::string> PlanReasons(const Survey& survey) {
  const Machine& machine = survey.machine;
  const Placement& placement = survey.placement;
  if (survey.uses_tuned) return survey.tuned;
  std::vector<std::string> reasons;
  if (!placement.warnings.empty()) {
    reasons = placement.warnings;
  } else if (machine.quota && machine.usable_cores == machine.usable_cpus && machine.QuotaBinds()) {
    reasons.push_back("as many as the quota of " + DecimalWords(machine.quota->cpus) +
                      (machine.quota->cpus == 1 ? " CPU" : " CPUs") + " keeps busy");
  } else {
    reasons.push_back("one for each usable physical core");
  }
  if (machine.QuotaBinds() && machine.nodes.size() > 1) {
    reasons.push_back(survey.used.nodes.size() == 1
                          ? "on one node, so that weights and work are near each other"
                          : "on as few nodes as have that many cores");
  }
  if (machine.kinds > 1) reasons.push_back("fast cores first, slower ones too");
  reasons.insert(reasons.end(), survey.tuned.begin(), survey.tuned.end());
  return reasons;
}

std::string TextReport(const Survey& survey, const std::vector<NamedFinding>& findings) {
  std::string text = "found\n";
  for (const auto& [name, finding] : findings) {
    text += (finding.level == Finding::Level::kCosts ? "! " : "  ") + Padded(name) + finding.found;
    // What costs is told in full below.
    if (finding.level != Finding::Level::kCosts && !finding.why.empty()) text += ": " + finding.why;
    text += '\n';
  }
  const Placement& placement = survey.placement;
  text += "\n\"consort run\" would use\n  " + Counted(placement.split.workers, "worker") +
          " with " + Counted(placement.split.engines, "engine") + " each:";
  const char* before = " ";
  for (const auto& reason : PlanReasons(survey)) {
    text += before + reason;
    before = "; ";
  }
  text += '\n';
  for (size_t i = 0; i < placement.nodes.size(); ++i) {
    const auto cpus = EngineCpus(placement, i);
    text += "  node " + std::to_string(placement.nodes[i].os_index) + ": " +
            Counted(WorkersOf(placement, i), "worker") + " on " +
            (cpus.size() == 1 ? "CPU " : "CPUs ") + CpuListWords(cpus) +
            MemoryWords(placement, placement.nodes[i]) + '\n';
  }
  text += "  about " + Bytes(placement.need_bytes) + " of memory" +
          (survey.bundle ? "" : " and the weights: -m BUNDLE counts them") + "\n\n";
  if (!CostsSpeed(findings)) return text + "nothing was found that costs speed\n";
  text += "what costs speed\n";
  int number = 0;
  for (const auto& [name, finding] : findings) {
    if (finding.level != Finding::Level::kCosts) continue;
    text += "  " + std::to_string(++number) + ". " + name + ": " + finding.found + "\n";
    if (!finding.why.empty()) text += "     " + finding.why + "\n";
    if (!finding.change.empty()) text += "     to change it: " + finding.change + "\n";
  }
  return text;
}

std::string JsonReport(const Survey& survey, const std::vector<NamedFinding>& findings) {
  const std::map<Finding::Level, const char*> levels = {{Finding::Level::kFine, "fine"},
                                                        {Finding::Level::kNote, "note"},
                                                        {Finding::Level::kCosts, "costs"}};
  nlohmann::ordered_json report;
  report["doctor"] = 1;
  report["costs_speed"] = CostsSpeed(findings);
  auto& list = report["findings"] = nlohmann::ordered_json::array();
  for (const auto& [name, finding] : findings) {
    list.push_back({{"name", name},
                    {"level", levels.at(finding.level)},
                    {"found", finding.found},
                    {"why", finding.why},
                    {"change", finding.change}});
  }
  const Placement& placement = survey.placement;
  auto& plan = report["plan"];
  plan["workers"] = placement.split.workers;
  plan["engines"] = placement.split.engines;
  plan["why"] = PlanReasons(survey);
  plan["memory_bytes"] = placement.need_bytes;
  auto& nodes = plan["nodes"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < placement.nodes.size(); ++i) {
    nodes.push_back({{"node", placement.nodes[i].os_index},
                     {"workers", WorkersOf(placement, i)},
                     {"cpus", EngineCpus(placement, i)},
                     {"memory_node", placement.arenas[placement.nodes[i].arena].memory_node}});
  }
  // File names may be no UTF-8.
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace consort
