#include "supervisor/export/output_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "shared/base/folder.h"
#include "shared/base/same_file.h"
#include "shared/base/write_all.h"
#include "supervisor/export/rename_made.h"

namespace consort {
namespace {

// Opened for this process alone: two exports to one path must not write into one file. Empty:
// another one has just put it in its place, try again.
Result<UniqueFd> OpenAlone(const std::string& made) {
  UniqueFd fd(::open(made.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0666));
  if (!fd) return SystemError("create", made, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Error{"another process is writing \"" + made + '"', "wait for it"};
  }
  if (!SameFile(fd.get(), made)) return UniqueFd();
  if (::ftruncate(fd.get(), 0) != 0) return SystemError("empty", made, errno);
  return fd;
}

}  // namespace

Status OutputFile::Check(const std::string& path, const std::string& option) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      return Error{"could not create \"" + path + "\": it is a folder",
                   "name a file in it with " + option};
    }
    if (!S_ISREG(status.st_mode)) {
      return Error{"could not replace \"" + path + "\": it is no regular file",
                   "name another file with " + option};
    }
  }
  const std::string folder = FolderOf(RealPath(path));
  if (::access(folder.c_str(), W_OK | X_OK) == 0) return Ok();
  const int trouble = errno;
  Error error = SystemError("create", path, trouble);
  error.hint = trouble == ENOENT ? "make the folder first, or name another with " + option
                                 : "name another file with " + option;
  return error;
}

Result<OutputFile> OutputFile::Create(const std::string& path) {
  OutputFile file;
  if (path == "-") {
    file.path_ = "standard output";
    file.fd_.Reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!file.fd_) return SystemError("write to standard output", "", errno);
    return file;
  }
  file.path_ = RealPath(path);
  const std::string made = file.path_ + ".consort-new";
  while (!file.fd_) {
    CONSORT_TRY(file.fd_, OpenAlone(made));
  }
  file.made_ = made;
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      made_(std::exchange(other.made_, {})),
      fd_(std::move(other.fd_)),
      pending_(std::move(other.pending_)) {}

OutputFile::~OutputFile() {
  if (!made_.empty()) ::unlink(made_.c_str());
}

Status OutputFile::Flush() {
  if (pending_.size() < kFlushBytes) return Ok();
  CONSORT_TRY(WriteAll(fd_.get(), pending_, path_));
  pending_.clear();
  return Ok();
}

Status OutputFile::Finish() {
  CONSORT_TRY(WriteAll(fd_.get(), pending_, path_));
  pending_.clear();
  if (!made_.empty() && ::fsync(fd_.get()) != 0) return SystemError("sync", path_, errno);
  return Ok();
}

Status OutputFile::PutInPlace() {
  if (made_.empty()) return Ok();
  return RenameMade(made_, path_);
}

}  // namespace consort
