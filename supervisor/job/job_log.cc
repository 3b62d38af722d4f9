#include "supervisor/job/job_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "shared/base/result.h"
#include "supervisor/view/wall_clock.h"

namespace consort {
namespace {

constexpr size_t kPendingBytes = 64 * 1024;

}  // namespace

void JobLog::Add(pid_t pid, size_t slot, std::string_view line) {
  pending_ +=
      UtcNow(true) + " worker " + std::to_string(pid) + " slot " + std::to_string(slot) + ": ";
  pending_ += line;
  pending_ += '\n';
  if (pending_.size() >= kPendingBytes) Flush();
}

void JobLog::Flush() {
  if (pending_.empty()) return;
  if (bytes_ >= rotate_bytes_) Rotate();
  if (!file_ && !Open()) return pending_.clear();
  std::string_view left = pending_;
  while (!left.empty()) {
    const ssize_t put = ::write(file_.get(), left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) {
      Failed("write", put < 0 ? errno : ENOSPC);
      break;
    }
    bytes_ += static_cast<uint64_t>(put);
    left.remove_prefix(static_cast<size_t>(put));
  }
  pending_.clear();
}

bool JobLog::Open() {
  file_.Reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!file_) {
    Failed("open", errno);
    return false;
  }
  struct stat status {};
  bytes_ = ::fstat(file_.get(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  return true;
}

void JobLog::Rotate() {
  file_.Reset();
  bytes_ = 0;
  if (::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) Failed("rename", errno);
}

void JobLog::Failed(const char* verb, int errno_value) {
  if (told_) return;
  told_ = true;
  warn_("warning: " + SystemError(verb, path_, errno_value).what +
        "; what workers write may be missing there, the job goes on");
}

}  // namespace consort
