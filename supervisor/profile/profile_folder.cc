#include "supervisor/profile/profile_folder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <tuple>
#include <vector>

#include "shared/base/read_file.h"
#include "shared/base/replace_file.h"

namespace consort {
namespace {

constexpr size_t kMostBytes = 8 << 20;  // a profile has some kilobytes
constexpr size_t kMostFiles = 10'000;   // looked at, of a folder full of anything

// nullopt: no such file.
Result<std::optional<TunedProfile>> ReadProfile(const std::string& path,
                                                const std::string& version) {
  CONSORT_TRY(const auto text, ReadFileIfThere(path, kMostBytes));
  if (!text) return std::optional<TunedProfile>();
  CONSORT_TRY(auto profile, ParseProfile(*text, path, version));
  return std::optional<TunedProfile>(std::move(profile));
}

std::string WarningOf(const Error& error) {
  return "tuned profile is not used: " + error.what + "; \"consort tune\" makes it anew";
}

// Of a file beside the one that is looked for.
std::string PassedOver(const Error& error) {
  return "tuned profile is passed over: " + error.what +
         "; move it away, or make it anew with \"consort tune\"";
}

// Another tune may write here at the same time, of another container or host that has the same
// home: its process may have our number.
std::string NameBeside(const std::string& folder) {
  std::random_device random;
  return folder + "/.new-" + std::to_string(random()) + '-' + std::to_string(random());
}

const char* ConfigHome() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  return config != nullptr ? config : "";
}

// Paths of what is called *.json, sorted.
Result<std::vector<std::string>> JsonFiles(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths;
  std::filesystem::directory_iterator entries(folder, error);
  const std::filesystem::directory_iterator end;
  for (; !error && entries != end && paths.size() < kMostFiles; entries.increment(error)) {
    const std::string name = entries->path().filename();
    if (name.ends_with(".json") && !name.starts_with('.')) paths.push_back(folder + '/' + name);
  }
  if (error && error != std::errc::no_such_file_or_directory &&
      error != std::errc::not_a_directory) {
    return SystemError("read the folder of profiles", folder, error.value());
  }
  std::ranges::sort(paths);
  return paths;
}

// The same bundle, or what it was before it changed: by both names, since a model's bundles of
// other precisions share the model's, and bundles of other models may share the folder's.
bool IsOfBundle(const TunedProfile& profile, const std::string& sha256, const BundleNames& names) {
  return profile.key.bundle_sha256 == sha256 ||
         (profile.bundle.folder == names.folder && profile.bundle.model == names.model);
}

}  // namespace

std::string ProfileFolder() {
  const std::string config = ConfigHome();
  if (config.starts_with('/')) return config + "/consort/profiles";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return "";
  return std::string(home) + "/.config/consort/profiles";
}

std::string IgnoredConfigHome(const std::string& config_home) {
  if (config_home.empty() || config_home.starts_with('/')) return "";
  return "XDG_CONFIG_HOME is \"" + config_home +
         "\", which is not an absolute path, so it is ignored";
}

std::string IgnoredConfigHome() { return IgnoredConfigHome(ConfigHome()); }

FoundProfile FindProfile(const std::string& folder, const ProfileKey& key,
                         const BundleNames& names) {
  FoundProfile found;
  if (folder.empty()) return found;
  const std::string exact = folder + '/' + ProfileFileName(names.model, key);
  auto at_its_place = ReadProfile(exact, key.consort);
  if (!at_its_place) {
    found.warning = WarningOf(at_its_place.error());
    return found;
  }
  if (at_its_place.value() && at_its_place.value()->key == key) {
    found.path = exact;
    found.profile = std::move(at_its_place).value();
    return found;
  }
  const auto paths = JsonFiles(folder);
  if (!paths) {
    found.warning = paths.error().what;
    return found;
  }
  // Of this very bundle rather than of its name, then the newest.
  std::tuple<bool, std::string> best;
  for (const std::string& path : paths.value()) {
    const auto read = ReadProfile(path, key.consort);
    if (!read) {
      if (found.warning.empty()) found.warning = PassedOver(read.error());
      continue;
    }
    if (!read.value() || !IsOfBundle(*read.value(), key.bundle_sha256, names)) continue;
    const TunedProfile& profile = *read.value();
    const auto rank = std::tuple(profile.key.bundle_sha256 == key.bundle_sha256, profile.made);
    if (!found.path.empty() && rank <= best) continue;
    best = rank;
    found.path = path;
    found.out_of_date = OutOfDateWords(profile.key, key);
  }
  // A copy under another name.
  if (found.out_of_date.empty()) found.path.clear();
  return found;
}

Status MakeProfileFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return SystemError("make the folder of profiles", folder, error.value());
  if (access(folder.c_str(), W_OK) != 0) return SystemError("write to", folder, errno);
  return Ok();
}

Result<std::string> WriteProfile(const std::string& folder, const TunedProfile& profile) {
  const std::string path = folder + '/' + ProfileFileName(profile.bundle.model, profile.key);
  const std::string beside = NameBeside(folder);
  CONSORT_TRY(ReplaceFile(path, beside, Durable::kYes, ProfileJson(profile)));
  return path;
}

}  // namespace consort
