#include "supervisor/journal/identity.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>

#include "shared/bundle/built_for.h"

namespace consort {
namespace {

constexpr char kByConsort[] = "consort";

// Relative to the job's folder, so that both may be moved together.
std::string OutputFromJob(const std::string& output, const std::string& job) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(fs::absolute(job, error), error);
  fs::path results = fs::absolute(output, error);
  results = fs::weakly_canonical(results.parent_path(), error) / results.filename();
  return results.lexically_relative(folder).string();
}

std::string Shown(const std::string& value, const std::string& when_empty) {
  constexpr size_t kHashDigits = 64;
  if (value.size() == kHashDigits) return value.substr(0, 12) + "…";
  return value.empty() ? when_empty : value;
}

// The CPU flags that kernels are chosen by; empty if unknown.
std::string KernelFlags() {
  const auto cpu = ReadCpuIdentity();
  std::string flags;
  if (!cpu) return flags;
  for (const auto& flag : cpu.value().flags) flags += (flags.empty() ? "" : " ") + flag;
  return flags;
}

}  // namespace

std::optional<int> IntraChosenThen(const std::vector<std::pair<std::string, std::string>>& was) {
  const std::map<std::string, std::string> parts(was.begin(), was.end());
  const auto by = parts.find("intra_chosen_by");
  const auto intra = parts.find("intra");
  if (by == parts.end() || by->second != kByConsort || intra == parts.end()) return std::nullopt;
  int number = 0;
  const char* end = intra->second.data() + intra->second.size();
  const auto [at, error] = std::from_chars(intra->second.data(), end, number);
  if (error != std::errc() || at != end || number < 1) return std::nullopt;
  return number;
}

Identity MakeIdentity(const IdentitySource& source) {
  std::error_code error;
  // By way of links: what "..", typed behind one, means is not to be told from the name alone.
  auto bundle =
      std::filesystem::weakly_canonical(std::filesystem::absolute(source.bundle, error), error);
  if (!bundle.has_filename()) bundle = bundle.parent_path();  // "folder/"
  Identity identity = {
      {"results_version", std::to_string(kResultsVersion), "the version of the results' lines"},
      {"bundle", source.bundle.empty() ? "" : bundle.string(), "", true, false},
      {"model_sha256", source.model_sha256, "the model"},
      {"output", OutputFromJob(source.output, source.job),
       "the results' path, from the job's folder,"},
      {"intra", source.intra == 0 ? "default" : std::to_string(source.intra), "--intra", true},
      {"intra_chosen_by", source.intra_given ? "option" : kByConsort, "", true, false},
      {"torch", source.torch_version, "LibTorch's version", true},
      {"cpu", KernelFlags(), "the CPU's instruction set", true},
  };
  identity.insert(identity.end(), source.tags.begin(), source.tags.end());
  return identity;
}

Status CompareIdentity(const std::vector<std::pair<std::string, std::string>>& was,
                       const Identity& now, const std::string& job, bool mixed) {
  for (const auto& part : now) {
    if (!part.compared) continue;
    const auto found =
        std::ranges::find(was, part.key, &std::pair<std::string, std::string>::first);
    const std::string before = found == was.end() ? "" : found->second;
    if (before == part.value || (part.may_mix && mixed)) continue;
    std::string what = "the job in \"" + job + "\" cannot go on: " + part.words + " was " +
                       Shown(before, part.when_empty) + " and is " +
                       Shown(part.value, part.when_empty) + " now";
    std::string hint = "use what it was begun with, or begin anew with --restart";
    if (part.may_mix) {
      hint =
          "use what it was begun with, go on all the same with --mixed (last digits of scores "
          "may differ), or begin anew with --restart";
    }
    return Error{std::move(what), std::move(hint)};
  }
  return Ok();
}

}  // namespace consort
