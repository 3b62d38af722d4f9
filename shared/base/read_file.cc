#include "shared/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/base/unique_fd.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 4096;  // files of /proc do not tell their size

Error NoFile(const std::string& path) { return Error{'"' + path + "\" is not a file"}; }

}  // namespace

Result<std::string> ReadFile(const std::string& path, size_t most_bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) {
    if (errno == ENXIO) return NoFile(path);  // a socket
    return SystemError("open", path, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return SystemError("read", path, errno);
  if (!S_ISREG(status.st_mode)) return NoFile(path);
  const auto size = static_cast<size_t>(status.st_size);
  std::string text;
  for (size_t have = 0;;) {
    if (size > most_bytes || have > most_bytes) {
      return Error{'"' + path + "\" is too large: more than " + std::to_string(most_bytes) +
                   " bytes"};
    }
    // One byte more than there are, so that one read tells that this is all.
    if (have == text.size()) text.resize(std::max(size + 1, have + kPieceBytes));
    const ssize_t got = ::read(file.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path, errno);
    have += static_cast<size_t>(got);
    if (got > 0) continue;
    text.resize(have);
    return text;
  }
}

Result<std::optional<std::string>> ReadFileIfThere(const std::string& path, size_t most_bytes) {
  if (::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
    return std::optional<std::string>();
  }
  CONSORT_TRY(auto text, ReadFile(path, most_bytes));
  return std::optional<std::string>(std::move(text));
}

std::string ReadFileOrNothing(const std::string& path) {
  auto text = ReadFile(path);
  return text ? std::move(text).value() : std::string();
}

}  // namespace consort
