#include "shared/bundle/labels.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace consort {
namespace {

// By the JSON writer, since that is what will have to write the label.
bool IsUtf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

Result<std::vector<std::string>> ParseLabels(const std::string& text, const std::string& path) {
  std::vector<std::string> labels;
  size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    labels.push_back(std::move(line));
    at = end + 1;
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (labels.empty()) return Error{"\"" + path + "\" has no labels", "write one label a line"};
  for (size_t i = 0; i < labels.size(); ++i) {
    const std::string line = "line " + std::to_string(i + 1) + " of \"" + path + "\"";
    if (labels[i].empty()) return Error{line + " is blank", "write one label a line"};
    if (!IsUtf8(labels[i])) return Error{line + " is not UTF-8"};
  }
  return labels;
}

std::vector<uint32_t> RanksByBytes(const std::vector<std::string>& labels) {
  std::vector<uint32_t> sorted(labels.size());
  std::iota(sorted.begin(), sorted.end(), 0U);
  std::ranges::stable_sort(sorted, [&](uint32_t a, uint32_t b) { return labels[a] < labels[b]; });
  std::vector<uint32_t> ranks(labels.size());
  for (size_t i = 0; i < sorted.size(); ++i) ranks[sorted[i]] = static_cast<uint32_t>(i);
  return ranks;
}

}  // namespace consort
