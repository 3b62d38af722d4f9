// Writing all of something to a file, whatever the kernel takes at a time.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace consort {

// Waits for room, also where the descriptor does not: what a caller left as standard output may be
// one. `path` is for the error.
inline Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return SystemError("write", path, errno);
    }
  }
  return Ok();
}

}  // namespace consort
