#include "supervisor/journal/job_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "shared/base/clock.h"
#include "shared/base/folder.h"
#include "shared/base/replace_file.h"
#include "shared/base/same_file.h"
#include "shared/base/write_all.h"
#include "supervisor/journal/file_system.h"
#include "supervisor/plan/list.h"

namespace consort {
namespace {

constexpr int kPollMs = 20;
// Whatever else lies beside a journal of ours came from us or is nobody's harm.
constexpr std::array<std::string_view, 13> kOurs = {"journal.db",     "journal.db-wal",
                                                    "journal.db-shm", "journal.db-journal",
                                                    "list",           "list.new",
                                                    "lock",           "status.json",
                                                    "retry.jsonl",    "log",
                                                    "log.1",          "quarantine.jsonl",
                                                    "exports"};

// A scratch file of ours, or what a file system without nameless files shows of one until it is
// closed (NFS, FUSE).
bool IsScratch(const std::string& name) {
  return name.starts_with(".consort-") || name.starts_with(".nfs") ||
         name.starts_with(".fuse_hidden");
}

std::string BeginningOf(const std::string& path) {
  char text[32] = {};
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  const ssize_t size = fd ? ::pread(fd.get(), text, sizeof(text), 0) : -1;
  return {text, size > 0 ? static_cast<size_t>(size) : 0};
}

// It has a pid, or what a power cut left of one.
bool IsOurLock(const std::string& path) {
  const std::string text = BeginningOf(path);
  return text.find_first_not_of(std::string_view("0123456789\n\0", 12)) == std::string::npos;
}

// Empty, or it begins with the record that each spool begins with.
bool IsOurList(const std::string& path) {
  const std::string text = BeginningOf(path);
  uint32_t head[2] = {};
  if (text.empty()) return true;
  if (text.size() < sizeof(head)) return false;
  std::memcpy(head, text.data(), sizeof(head));
  return head[1] == FileList::kCurrentFolder;
}

// Of files that have names of ours, and no journal beside them: one that is somebody else's, which
// a job would write over. Empty: there is none.
std::string NotOurs(const std::string& path, const std::vector<std::string>& files) {
  const bool locked = std::ranges::find(files, std::string_view("lock")) != files.end() &&
                      IsOurLock(path + "/lock");
  for (const auto& name : files) {
    if (!locked || (name == "list" && !IsOurList(path + "/list"))) return name;
  }
  return "";
}

Status CheckContent(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  if (error) return SystemError("read the job's folder", path, error.value());
  std::string foreign;
  std::vector<std::string> files;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename();
    if (name == kOurs[0]) return Ok();
    if (IsScratch(name)) continue;
    if (std::ranges::find(kOurs, name) == kOurs.end()) {
      foreign = name;
    } else if (entry.is_regular_file(error)) {
      files.push_back(name);
    }
  }
  if (foreign.empty()) foreign = NotOurs(path, files);
  if (foreign.empty()) return Ok();
  return Error{'"' + path + "\" is not the folder of a job: it holds \"" + foreign + '"',
               "name another one with --job"};
}

Result<bool> TryLock(int fd, const std::string& path) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return SystemError("lock", path, errno);
  }
  return true;
}

std::string Holder(int fd) {
  char text[32] = {};
  const ssize_t size = ::pread(fd, text, sizeof(text) - 1, 0);
  std::string pid(text, size > 0 ? static_cast<size_t>(size) : 0);
  pid.erase(pid.find_last_not_of('\n') + 1);
  return pid.empty() ? "another process" : "process " + pid;
}

Status CopyTo(int from, int to, const std::string& path) {
  std::array<char, 64 * 1024> buffer{};
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(from, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read the spooled list", "", errno);
    if (got == 0) return Ok();
    CONSORT_TRY(WriteAll(to, {buffer.data(), static_cast<size_t>(got)}, path));
    at += got;
  }
}

}  // namespace

Result<JobFolder> JobFolder::Open(const std::string& path, int patience_ms) {
  JobFolder folder;
  folder.path_ = path;
  folder.made_ = ::mkdir(path.c_str(), 0755) == 0;
  if (!folder.made_ && errno != EEXIST) {
    Error error = SystemError("make the job's folder", path, errno);
    error.hint = "name another one with --job";
    return error;
  }
  folder.remove_ = folder.made_;
  if (folder.made_) CONSORT_TRY(SyncFolder(FolderOf(path)));
  CONSORT_TRY(CheckContent(path));
  CONSORT_TRY(folder.Lock(patience_ms));
  return folder;
}

JobFolder::~JobFolder() {
  if (!remove_ || !lock_) return;
  [[maybe_unused]] const Status removed = RemoveJournal();
  ::unlink((path_ + "/list.new").c_str());
  ::unlink(list().c_str());
  for (const char* name : {"/status.json", "/quarantine.jsonl"}) {
    ::unlink((path_ + name).c_str());
  }
  // What workers said may be all that tells why nothing came of it: that stays, and with it the
  // lock, by which the next start knows that it is a job's.
  struct stat log {};
  if (::stat((path_ + "/log").c_str(), &log) == 0 && log.st_size > 0) return;
  for (const char* name : {"/log", "/lock"}) ::unlink((path_ + name).c_str());
  ::rmdir(path_.c_str());
}

Status JobFolder::Lock(int patience_ms) {
  const std::string path = path_ + "/lock";
  const int64_t until = MonotonicNs() + int64_t{patience_ms} * 1'000'000;
  for (;;) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd && errno == ENOENT && ::mkdir(path_.c_str(), 0755) == 0) continue;  // just removed
    if (!fd) {
      Error error = SystemError("open", path, errno);
      error.hint = "name another folder with --job";
      return error;
    }
    CONSORT_TRY(const bool locked, TryLock(fd.get(), path));
    if (locked && SameFile(fd.get(), path)) {
      lock_ = std::move(fd);
      const std::string pid = std::to_string(::getpid()) + '\n';
      // For people only: the lock itself is what counts.
      if (::ftruncate(lock_.get(), 0) == 0) {
        [[maybe_unused]] const ssize_t put = ::pwrite(lock_.get(), pid.data(), pid.size(), 0);
      }
      return Ok();
    }
    if (!locked && MonotonicNs() >= until) {
      return Error{"the job in \"" + path_ + "\" is at work already, in " + Holder(fd.get()),
                   "wait for it, or name another folder with --job"};
    }
    ::usleep(kPollMs * 1000);
  }
}

bool JobFolder::has_journal() const { return ::access(journal().c_str(), F_OK) == 0; }

Status JobFolder::ReplaceList(int fd) const {
  const std::string path = path_ + "/list.new";
  return ReplaceFile(list(), path, Durable::kYes, [&](int to) { return CopyTo(fd, to, path); });
}

Status JobFolder::RemoveJournal() const {
  // The database last: without it, nothing else counts.
  for (const char* suffix : {"-shm", "-wal", "-journal", ""}) {
    const std::string path = journal() + suffix;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return SystemError("remove", path, errno);
  }
  return SyncFolder(path_);
}

}  // namespace consort
