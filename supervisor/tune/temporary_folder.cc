#include "supervisor/tune/temporary_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "shared/base/folder.h"
#include "shared/base/read_file.h"

namespace consort {
namespace {

constexpr const char* kOwners[] = {"consort-tune-", "consort-compare-"};

// The first digits of its random id; empty where the kernel does not tell.
std::string BootId() { return ReadFileOrNothing("/proc/sys/kernel/random/boot_id").substr(0, 8); }

UniqueFd OpenFolder(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

int Flock(int fd, int how) {
  int done = 0;
  do {
    done = flock(fd, how);
  } while (done != 0 && errno == EINTR);
  return done;
}

bool IsNamed(const std::string& path, int fd) {
  struct stat named {};
  struct stat held {};
  return lstat(path.c_str(), &named) == 0 && fstat(fd, &held) == 0 && named.st_dev == held.st_dev &&
         named.st_ino == held.st_ino;
}

// If it is of a process of ours that is gone.
void TakeAway(const std::string& path) {
  const UniqueFd lock = OpenFolder(path);
  struct stat status {};
  if (!lock || fstat(lock.get(), &status) != 0 || status.st_uid != geteuid()) return;
  if (Flock(lock.get(), LOCK_EX | LOCK_NB) != 0 || !IsNamed(path, lock.get())) return;
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

void TakeAwayLeftovers(const std::string& place, const std::string& boot_id) {
  std::error_code error;
  std::filesystem::directory_iterator entries(place, error);
  const std::filesystem::directory_iterator end;
  for (; !error && entries != end; entries.increment(error)) {
    const std::string name = entries->path().filename();
    for (const char* owner : kOwners) {
      if (name.starts_with(owner + boot_id + '-')) TakeAway(entries->path());
    }
  }
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::Make() {
  const std::string place = TemporaryPlace();
  std::string boot_id = BootId();
  if (!boot_id.empty()) TakeAwayLeftovers(place, boot_id);
  for (;;) {
    TemporaryFolder folder;
    std::string path = place + '/' + kOwners[0] + (boot_id.empty() ? "" : boot_id + '-') + "XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return SystemError("make a folder in", place, errno);
    folder.path_ = path;
    if (boot_id.empty()) return folder;
    folder.lock_ = OpenFolder(path);
    if (!folder.lock_ || Flock(folder.lock_.get(), LOCK_EX) != 0) {
      // No locks here: under another name, which nobody takes for a dead one's.
      boot_id.clear();
      continue;
    }
    // Another process, cleaning up, may have come between the making and the locking.
    if (IsNamed(path, folder.lock_.get())) return folder;
    folder.path_.clear();
  }
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace consort
