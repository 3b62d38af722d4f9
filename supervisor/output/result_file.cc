#include "supervisor/output/result_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <string_view>

#include "shared/base/folder.h"

namespace consort {
namespace {

constexpr mode_t kFileMode = 0666;  // less the umask

Error CannotCreate(const std::string& path, int errno_value) {
  Error error = SystemError("create", path, errno_value);
  error.hint = errno_value == ENOENT ? "make the folder first, or name another with -o"
                                     : "name another file with -o";
  return error;
}

int OpenRetrying(const std::string& path, int flags) {
  for (;;) {
    const int fd = ::open(path.c_str(), flags | O_WRONLY | O_CLOEXEC | O_NOCTTY, kFileMode);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

// Or cannot be read, which is told when it is opened. `known`: see ResultFile::Create.
bool LooksLikeResults(const std::string& path, bool known) {
  constexpr std::string_view kBegin = "{\"file\":";
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return true;
  char text[kBegin.size()];
  const ssize_t got = ::pread(fd.get(), text, sizeof(text), 0);
  if (got < 0) return false;
  const std::string_view begin(text, static_cast<size_t>(got));
  return kBegin.starts_with(begin) ||
         (known && begin.find_first_not_of('\0') == std::string_view::npos);
}

// What stands at `path` already is in the way.
Status CheckExisting(const std::string& path, bool restart, bool known) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return Ok();
  if (S_ISDIR(status.st_mode)) {
    return Error{"could not create \"" + path + "\": it is a folder", "name a file in it with -o"};
  }
  if (!S_ISREG(status.st_mode)) return Ok();
  // Never a recording, a list or a text of somebody's that the path was mistyped for.
  if (status.st_size > 0 && !LooksLikeResults(path, known)) {
    return Error{'"' + path + "\" exists, and does not look like results",
                 "name another file with -o"};
  }
  if (!restart) {
    return Error{'"' + path + "\" exists",
                 "add --restart to begin anew, or name another file with -o"};
  }
  return Ok();
}

Result<UniqueFd> OpenForResults(const std::string& path, bool restart, bool known, bool& made) {
  UniqueFd fd(OpenRetrying(path, O_CREAT | O_EXCL));
  made = static_cast<bool>(fd);
  if (made) return fd;
  if (errno != EEXIST) return CannotCreate(path, errno);
  CONSORT_TRY(CheckExisting(path, restart, known));
  // O_CREAT for a link that leads nowhere yet.
  fd.Reset(OpenRetrying(path, O_CREAT));
  if (!fd) return CannotCreate(path, errno);
  return fd;
}

}  // namespace

Status ResultFile::CheckCreatable(const std::string& path, bool restart, bool known) {
  if (path == "-") return Ok();
  CONSORT_TRY(CheckExisting(path, restart, known));
  if (::access(path.c_str(), F_OK) == 0) {
    return ::access(path.c_str(), W_OK) == 0 ? Ok() : Status(CannotCreate(path, errno));
  }
  return ::access(FolderOf(path).c_str(), W_OK | X_OK) == 0 ? Ok()
                                                            : Status(CannotCreate(path, errno));
}

Result<ResultFile> ResultFile::Create(const std::string& path, bool restart, bool known) {
  ResultFile file;
  file.path_ = path;
  if (path == "-") {
    file.path_ = "standard output";
    file.fd_.Reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!file.fd_) return SystemError("write to standard output", "", errno);
  } else {
    CONSORT_TRY(file.fd_, OpenForResults(path, restart, known, file.made_));
  }
  struct stat status {};
  file.is_regular_ = ::fstat(file.fd_.get(), &status) == 0 && S_ISREG(status.st_mode);
  file.can_sync_ = file.is_regular_ && path != "-";
  file.cut_first_ = file.can_sync_ && !file.made_;
  return file;
}

Result<ResultFile> ResultFile::Resume(const std::string& path, uint64_t counted) {
  const auto altered = [&path](const std::string& what) {
    return Error{"\"" + path + "\" " + what, "put it back as it was, or begin anew with --restart"};
  };
  ResultFile file;
  file.path_ = path;
  file.fd_.Reset(OpenRetrying(path, 0));
  if (!file.fd_ && errno == ENOENT && counted == 0) return Create(path, false);
  if (!file.fd_ && errno == ENOENT) {
    return altered("is gone, though " + std::to_string(counted) + " bytes of it count");
  }
  if (!file.fd_) return CannotCreate(path, errno);
  struct stat status {};
  if (::fstat(file.fd_.get(), &status) != 0) return SystemError("look at", path, errno);
  if (!S_ISREG(status.st_mode)) return altered("was a file and is none now");
  file.is_regular_ = file.can_sync_ = true;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < counted) {
    return altered("was altered: it has " + std::to_string(size) + " bytes, and " +
                   std::to_string(counted) + " count");
  }
  if (size > counted) {
    const auto cut = [&file, counted] {
      return ::ftruncate(file.fd_.get(), static_cast<off_t>(counted)) != 0;
    };
    while (cut()) {
      if (errno != EINTR) return SystemError("cut back", path, errno);
    }
    CONSORT_TRY(file.Sync());
  }
  if (::lseek(file.fd_.get(), static_cast<off_t>(counted), SEEK_SET) < 0) {
    return SystemError("go to the end of", path, errno);
  }
  file.bytes_written_ = file.started_at_ = counted;
  return file;
}

void ResultFile::StartSync() {
  if (!can_sync_ || failed_ || bytes_written_ == started_at_) return;
  // Best effort: errors come back from Sync.
  ::sync_file_range(fd_.get(), static_cast<off_t>(started_at_),
                    static_cast<off_t>(bytes_written_ - started_at_), SYNC_FILE_RANGE_WRITE);
  started_at_ = bytes_written_;
}

Error ResultFile::Fail(const char* verb, int errno_value) {
  reader_gone_ = errno_value == EPIPE;
  failed_ = SystemError(verb, path_, errno_value);
  return *failed_;
}

Status ResultFile::CutFirst() {
  if (!cut_first_) return Ok();
  cut_first_ = false;
  if (::ftruncate(fd_.get(), 0) != 0) return Fail("empty", errno);
  return Ok();
}

Status ResultFile::Write(std::string_view bytes) {
  if (failed_) return *failed_;
  CONSORT_TRY(CutFirst());
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd_.get(), bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
      bytes_written_ += static_cast<uint64_t>(put);
    } else if (errno == EAGAIN) {
      pollfd ready{fd_.get(), POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return Fail("write", errno);
    }
  }
  return Ok();
}

Result<size_t> ResultFile::WriteSome(std::string_view bytes) {
  if (is_regular_) {
    CONSORT_TRY(Write(bytes));
    return bytes.size();
  }
  size_t done = 0;
  while (done < bytes.size()) {
    pollfd ready{fd_.get(), POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0) break;
    // A pipe that is ready has room for PIPE_BUF bytes: writing so many does not wait.
    const auto piece = bytes.substr(done, PIPE_BUF);
    CONSORT_TRY(Write(piece));
    done += piece.size();
  }
  return done;
}

void ResultFile::Remove() {
  if (made_) ::unlink(path_.c_str());
}

Status ResultFile::Sync() {
  if (failed_) return *failed_;
  if (!can_sync_) return Ok();
  CONSORT_TRY(CutFirst());
  if ((name_synced_ ? ::fdatasync(fd_.get()) : ::fsync(fd_.get())) != 0) return Fail("sync", errno);
  if (!name_synced_) {
    if (const int trouble = SyncFolderEntries(FolderOf(path_))) {
      return Fail("sync the folder of", trouble);
    }
    name_synced_ = true;
  }
  return Ok();
}

}  // namespace consort
