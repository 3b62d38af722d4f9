#include "supervisor/tune/trial_figures.h"

#include <nlohmann/json.hpp>

namespace consort {
namespace {

using Json = nlohmann::json;

// The number at the end of the keys; 0 where there is none.
double Number(const Json& root, std::initializer_list<const char*> keys) {
  const Json* at = &root;
  for (const char* key : keys) {
    if (!at->is_object()) return 0;
    const auto found = at->find(key);
    if (found == at->end()) return 0;
    at = &*found;
  }
  return at->is_number() ? at->get<double>() : 0;
}

}  // namespace

Result<TrialFigures> ParseFigures(const std::string& text, const std::string& path) {
  const Json root = Json::parse(text, nullptr, false);
  if (!root.is_object() || !root.contains("figures") || !root.contains("segments")) {
    return Error{'"' + path + "\" has no figures of a run"};
  }
  TrialFigures figures;
  figures.complete = root.contains("complete") && root["complete"] == true;
  figures.seconds = Number(root, {"window", "seconds"});
  figures.counted = static_cast<int64_t>(Number(root, {"segments", "counted"}));
  figures.per_second = Number(root, {"segments", "per_second"});
  figures.spread = Number(root, {"segments", "spread"});
  figures.p95_ms = Number(root, {"latency_ms", "p95"});
  figures.peak_bytes = static_cast<int64_t>(Number(root, {"memory", "peak_pss_bytes"}));
  figures.ready_s = Number(root, {"ready_s"});
  return figures;
}

}  // namespace consort
