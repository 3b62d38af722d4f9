#include "supervisor/choose/label_file.h"

#include <algorithm>

#include "shared/base/read_file.h"
#include "supervisor/cli/near_miss.h"

namespace consort {
namespace {

// Of ASCII: labels are mostly written so, and it is only a guess.
std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string Meant(std::string_view label, const std::vector<std::string>& labels) {
  const std::string lower = Lower(label);
  const auto same =
      std::ranges::find_if(labels, [&](const auto& known) { return Lower(known) == lower; });
  return same != labels.end() ? *same : NearMiss(label, labels);
}

}  // namespace

Result<std::vector<LabelLine>> ReadLabelLines(const std::string& path, const std::string& wanted) {
  const auto read = ReadFile(path);
  if (!read) return Error{read.error().what, wanted};
  const std::string& text = read.value();
  std::vector<LabelLine> lines;
  size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  for (size_t number = 1; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back({std::move(line), number});
    at = end + 1;
  }
  return lines;
}

std::string LineOf(const LabelLine& line, const std::string& path) {
  return "line " + std::to_string(line.line) + " of \"" + path + '"';
}

LabelIndex::LabelIndex(const Bundle& bundle) : bundle_(bundle) {
  for (size_t i = 0; i < bundle.labels.size(); ++i) places_[bundle.labels[i]].push_back(i);
}

Result<std::vector<size_t>> LabelIndex::Find(std::string_view label, const LabelLine& line,
                                             const std::string& path) const {
  const auto found = places_.find(label);
  if (found != places_.end()) return found->second;
  const std::string meant = Meant(label, bundle_.labels);
  return Error{LineOf(line, path) + ": the model has no label \"" + std::string(label) + '"',
               meant.empty() ? "its labels are in \"" + bundle_.folder + '/' +
                                   bundle_.manifest.output.labels_path + '"'
                             : "did you mean \"" + meant + "\"?"};
}

}  // namespace consort
