// Writing all of something to a file, whatever the kernel takes at a time.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace consort {

// To a descriptor that blocks. `path` is for the error.
inline Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return SystemError("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return Ok();
}

}  // namespace consort
