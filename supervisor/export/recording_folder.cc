#include "supervisor/export/recording_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "shared/base/folder.h"
#include "supervisor/export/rename_made.h"

namespace consort {
namespace {

constexpr size_t kLongestName = 255;  // NAME_MAX of Linux
constexpr size_t kRoomForNumber = 16;

// At most `most` bytes, and no half character at the end.
std::string Shortened(std::string_view name, size_t most) {
  if (name.size() <= most) return std::string(name);
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80) --end;
  return std::string(name.substr(0, end == 0 ? most : end));
}

// "name", "name (2)", "name (3)", …
std::string Numbered(const std::string& name, int n) {
  return n == 1 ? name : name + " (" + std::to_string(n) + ')';
}

bool IsFolder(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The folder of that name in `folder`, made if need be; another one, if a file has the name.
Result<std::string> Enter(const std::string& folder, const std::string& part) {
  const std::string name = Shortened(part, kLongestName - kRoomForNumber);
  for (int n = 1;; ++n) {
    std::string path = folder + '/' + Numbered(n == 1 ? part : name, n);
    if (::mkdir(path.c_str(), 0777) == 0 || (errno == EEXIST && IsFolder(path))) return path;
    if (errno != EEXIST) return SystemError("create", path, errno);
  }
}

}  // namespace

std::vector<std::string> PartsOf(std::string_view name) {
  std::vector<std::string> parts;
  while (!name.empty()) {
    const size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part == "..") {
      parts.emplace_back("_..");
    } else if (!part.empty() && part != ".") {
      parts.push_back(Shortened(part, kLongestName));
    }
    name.remove_prefix(slash == std::string_view::npos ? name.size() : slash + 1);
  }
  if (parts.empty()) parts.emplace_back("recording");
  return parts;
}

Status RecordingFolder::Check(const std::string& path) {
  std::error_code error;
  const bool there = std::filesystem::exists(path, error);
  if (error) return SystemError("look at", path, error.value());
  if (!there) return Ok();
  if (!std::filesystem::is_directory(path, error)) {
    return Error{'"' + path + "\" is no folder", "name a new folder with -o"};
  }
  const bool empty = std::filesystem::is_empty(path, error);
  if (error) return SystemError("look into", path, error.value());
  if (empty) return Ok();
  return Error{"the folder \"" + path + "\" exists, and is not empty", "name a new folder with -o"};
}

Result<RecordingFolder> RecordingFolder::Create(const std::string& path) {
  CONSORT_TRY(Check(path));
  RecordingFolder folder;
  folder.path_ = RealPath(path);
  while (folder.path_.size() > 1 && folder.path_.ends_with('/')) folder.path_.pop_back();
  for (int n = 1; folder.made_.empty(); ++n) {
    const std::string made = Numbered(folder.path_ + ".consort-new", n);
    if (::mkdir(made.c_str(), 0777) == 0) {
      folder.made_ = made;
    } else if (errno != EEXIST) {
      Error failure = SystemError("create", made, errno);
      failure.hint = "make the folder above it first, or name another with -o";
      return failure;
    }
  }
  return folder;
}

RecordingFolder::RecordingFolder(RecordingFolder&& other) noexcept
    : path_(std::move(other.path_)), made_(std::exchange(other.made_, {})) {}

RecordingFolder::~RecordingFolder() {
  std::error_code ignored;
  if (!made_.empty()) std::filesystem::remove_all(made_, ignored);
}

Result<RecordingFolder::File> RecordingFolder::Make(std::string_view name,
                                                    std::string_view extension) {
  const auto parts = PartsOf(name);
  std::string folder = made_;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    CONSORT_TRY(folder, Enter(folder, parts[i]));
  }
  std::string stem = parts.back();
  const size_t dot = stem.rfind('.');
  if (dot != std::string::npos && dot > 0) stem.resize(dot);
  stem = Shortened(stem, kLongestName - extension.size() - kRoomForNumber);
  for (int n = 1;; ++n) {
    std::string path = folder + '/' + Numbered(stem, n) + std::string(extension);
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (fd) return File{std::move(fd), std::move(path)};
    if (errno != EEXIST) return SystemError("create", path, errno);
  }
}

Status RecordingFolder::PutInPlace() {
  {
    const UniqueFd fd(::open(made_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd && ::syncfs(fd.get()) != 0) return SystemError("sync", made_, errno);
  }
  return RenameMade(made_, path_);
}

}  // namespace consort
