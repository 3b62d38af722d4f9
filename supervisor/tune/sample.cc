#include "supervisor/tune/sample.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"
#include "shared/record/error_code.h"
#include "supervisor/output/jsonl.h"

namespace consort {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

bool FitsOnALine(const std::string& path) {
  return path.find('\n') == std::string::npos && !path.ends_with('\r');
}

std::string Absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  // Not normalised: ".." behind a link is the link's business.
  return error ? path : folder.string() + '/' + path;
}

// `{"file":"NAME","error":{"code":"CODE","message":"…` → what a person is told.
std::string ErrorWords(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, false);
  if (json.is_discarded()) return line;  // the name is no UTF-8
  const auto& error = json["error"];
  return '"' + json.value("file", "") + "\": " + error.value("code", "") + ", " +
         error.value("message", "");
}

}  // namespace

std::vector<size_t> SpreadOrder(size_t n) {
  std::vector<size_t> order;
  const auto bits = static_cast<int>(std::bit_width(n > 0 ? n - 1 : 0));
  for (size_t i = 0; i < size_t{1} << bits; ++i) {
    size_t reversed = 0;
    for (int bit = 0; bit < bits; ++bit) reversed |= (i >> bit & 1) << (bits - 1 - bit);
    if (reversed < n) order.push_back(reversed);
  }
  return order;
}

Result<Sample> Sample::Take(FileList& list) {
  const uint64_t size = list.size();
  const uint64_t most = std::min<uint64_t>(size, kMostFiles);
  std::vector<std::string> taken;
  ListEntry entry;
  for (uint64_t at = 0; taken.size() < most; ++at) {
    CONSORT_TRY(const bool more, list.Next(entry));
    if (!more) break;
    // The middle of each of `most` equal stretches, or what can be had after it.
    if (at < (2 * taken.size() + 1) * size / (2 * most)) continue;
    if (!entry.too_long && FitsOnALine(entry.path)) taken.push_back(Absolute(entry.path));
  }
  if (taken.empty()) {
    return Error{size == 0 ? "there are no files: there is nothing to try"
                           : "no file could be sampled: their names have line breaks",
                 "name some audio that is like what is to be worked on"};
  }
  Sample sample;
  for (const size_t i : SpreadOrder(taken.size())) sample.paths_.push_back(std::move(taken[i]));
  return sample;
}

Status Sample::WriteList(const std::string& path, uint64_t entries) const {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return SystemError("write", path, errno);
  std::string text;
  for (uint64_t written = 0; written < entries; written += paths_.size()) {
    for (const auto& it : paths_) text += it + '\n';
    if (text.size() < kBufferBytes) continue;
    CONSORT_TRY(WriteAll(file.get(), text, path));
    text.clear();
  }
  return WriteAll(file.get(), text, path);
}

Result<size_t> Sample::LeaveOutFailures(const std::string& results) {
  struct Seen {
    bool result = false;
    bool crashed = false;
    std::string error;
  };
  constexpr std::string_view kBegin = "{\"file\":\"";
  constexpr std::string_view kChannel = ",\"channel\":";
  constexpr std::string_view kError = ",\"error\":{\"code\":\"";
  std::unordered_map<std::string, Seen> seen;
  std::ifstream lines(results);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kBegin)) continue;
    // The end of the name: the first quotation mark that is not escaped.
    size_t end = kBegin.size();
    while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    if (end >= line.size()) continue;
    Seen& file = seen[line.substr(kBegin.size(), end - kBegin.size())];
    std::string_view rest = std::string_view(line).substr(end + 1);
    if (rest.starts_with(kChannel)) {
      rest.remove_prefix(kChannel.size());
      rest.remove_prefix(std::min(rest.find_first_not_of("0123456789"), rest.size()));
    }
    if (!rest.starts_with(kError)) {
      file.result = true;
    } else if (file.error.empty()) {
      file.error = line;
      file.crashed = rest.substr(kError.size()).starts_with(ErrorCodeName(ErrorCode::kCrashed));
    }
  }
  std::vector<std::string> good;
  std::string first;
  for (const auto& path : paths_) {
    const auto found = seen.find(JsonlFormatter::EscapeName(path));
    const bool failed = found != seen.end() && !found->second.error.empty() &&
                        (!found->second.result || found->second.crashed);
    if (!failed) good.push_back(path);
    if (failed && first.empty()) first = ErrorWords(found->second.error);
  }
  if (good.empty()) {
    const std::string none = paths_.size() == 1
                                 ? "the one file that was sampled gives no result: "
                                 : "none of the " + std::to_string(paths_.size()) +
                                       " files that were sampled gives a result; the first: ";
    return Error{none + first, "name audio that \"consort run\" can read"};
  }
  const size_t left_out = paths_.size() - good.size();
  paths_ = std::move(good);
  return left_out;
}

}  // namespace consort
