#include "supervisor/profile/profile_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <tuple>
#include <vector>

#include "shared/base/folder.h"
#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"

namespace consort {
namespace {

constexpr off_t kMostBytes = 8 << 20;  // a profile has some kilobytes
constexpr size_t kMostFiles = 10'000;  // looked at, of a folder full of anything

// The content; nullopt if there is no such file. Waits for nobody: a FIFO is an error.
Result<std::optional<std::string>> ReadSmallFile(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return SystemError("read", path, errno);
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return SystemError("read", path, errno);
  if (!S_ISREG(status.st_mode)) return Error{'"' + path + "\" is no file"};
  if (status.st_size > kMostBytes) return Error{'"' + path + "\" is too large for a profile"};
  std::string text(static_cast<size_t>(status.st_size), '\0');
  size_t have = 0;
  while (have < text.size()) {
    const ssize_t got = read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path, errno);
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  text.resize(have);
  return std::optional<std::string>(std::move(text));
}

// nullopt: no such file.
Result<std::optional<TunedProfile>> ReadProfile(const std::string& path,
                                                const std::string& version) {
  CONSORT_TRY(const auto text, ReadSmallFile(path));
  if (!text) return std::optional<TunedProfile>();
  CONSORT_TRY(auto profile, ParseProfile(*text, path, version));
  return std::optional<TunedProfile>(std::move(profile));
}

std::string WarningOf(const Error& error) {
  return "tuned profile " + error.what + ": not used; \"consort tune\" makes it anew";
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

// The same bundle, or what it was before it changed: by both names, since a model's bundles of other
// precisions share the model's, and bundles of other models may share the folder's.
bool IsOfBundle(const TunedProfile& profile, const std::string& sha256, const BundleNames& names) {
  return profile.key.bundle_sha256 == sha256 ||
         (profile.bundle.folder == names.folder && profile.bundle.model == names.model);
}

}  // namespace

std::string ProfileFolder() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  // One that is not absolute is to be ignored, says the standard.
  if (config != nullptr && *config == '/') return std::string(config) + "/consort/profiles";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return "";
  return std::string(home) + "/.config/consort/profiles";
}

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
      if (found.warning.empty()) found.warning = WarningOf(read.error());
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
  std::string beside = folder + "/.new-XXXXXX";
  const UniqueFd file(mkostemp(beside.data(), O_CLOEXEC));
  if (!file) return SystemError("write", path, errno);
  const auto written = [&]() -> Status {
    CONSORT_TRY(WriteAll(file.get(), ProfileJson(profile), path));
    if (fsync(file.get()) != 0) return SystemError("write", path, errno);
    if (rename(beside.c_str(), path.c_str()) != 0) return SystemError("write", path, errno);
    return Ok();
  }();
  if (!written) {
    unlink(beside.c_str());
    return written.error();
  }
  if (const int error = SyncFolderEntries(folder); error != 0) {
    return SystemError("write", path, error);
  }
  return path;
}

}  // namespace consort
