#include "worker/read/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <system_error>

namespace consort {
namespace {

int64_t ToNs(const timespec& time) {
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

const char* KindOfFile(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "not a regular file";
}

// Those who read ahead give theirs back soon.
constexpr int kWaitsForADescriptor = 100;
constexpr useconds_t kWaitUs = 10'000;

bool DescriptorsRanOut(int error) { return error == EMFILE || error == ENFILE; }

// Sets `error` where it fails.
UniqueFd OpenPath(const std::string& path, int& error) {
  for (int waits = 0;; ++waits) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    error = fd ? 0 : errno;
    if (!DescriptorsRanOut(error) || waits == kWaitsForADescriptor) return fd;
    ::usleep(kWaitUs);
  }
}

}  // namespace

std::string ErrnoWords(int errno_value) {
  std::string words = std::generic_category().message(errno_value);
  // "Input/output error" but not "I/O …": only a word that goes on in small letters.
  if (words.size() > 1 && std::islower(static_cast<unsigned char>(words[1])) != 0) {
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  }
  return words;
}

FileIdentity IdentityOf(const struct stat& status) {
  return {static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino),
          static_cast<int64_t>(status.st_size), ToNs(status.st_mtim), ToNs(status.st_ctim)};
}

MaybeFault OpenRegularFile(const std::string& path, UniqueFd& fd, FileIdentity& identity) {
  int error = 0;
  UniqueFd opened = OpenPath(path, error);
  if (!opened) {
    const std::string words = "could not open: " + ErrnoWords(error);
    if (DescriptorsRanOut(error)) return ReadFault{ErrorCode::kUnreadable, -1, words, true};
    switch (error) {
      case ENOENT:
      case ENOTDIR:
        return Fault(ErrorCode::kNotFound, "no such file");
      case ENXIO:  // a socket, or a device without a driver
      case ENODEV:
        return Fault(ErrorCode::kNotAFile, "is a socket or a device, not a regular file");
      default:
        return Fault(ErrorCode::kUnreadable, words);
    }
  }
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) {
    return Fault(ErrorCode::kUnreadable, "could not stat: " + ErrnoWords(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fault(ErrorCode::kNotAFile,
                 std::string("is ") + KindOfFile(status.st_mode) + ", not a regular file");
  }
  if (status.st_size == 0) return Fault(ErrorCode::kEmpty, "the file has no content");
  identity = IdentityOf(status);
  fd = std::move(opened);
  return std::nullopt;
}

}  // namespace consort
