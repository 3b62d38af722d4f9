#include "supervisor/journal/job_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "shared/base/clock.h"
#include "shared/base/folder.h"
#include "shared/base/replace_file.h"
#include "shared/base/same_file.h"
#include "shared/base/write_all.h"
#include "supervisor/journal/file_system.h"

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

Status CheckContent(const std::string& path) {
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  if (error) return SystemError("read the job's folder", path, error.value());
  bool journal = false;
  std::string foreign;
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename();
    journal = journal || name == kOurs[0];
    bool ours = name.starts_with(".consort-");
    for (const auto& known : kOurs) ours = ours || name == known;
    if (!ours) foreign = name;
  }
  if (journal || foreign.empty()) return Ok();
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
  // What workers said may be all that tells why nothing came of it: that stays.
  struct stat log {};
  if (::stat((path_ + "/log").c_str(), &log) == 0 && log.st_size == 0) {
    ::unlink((path_ + "/log").c_str());
  }
  for (const char* name : {"/status.json", "/quarantine.jsonl", "/lock"}) {
    ::unlink((path_ + name).c_str());
  }
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
