// Opening what a list names, without being stopped by what it turns out to be: a FIFO does not
// block, a terminal does not become ours, a device is not read.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "shared/base/unique_fd.h"
#include "worker/read/read_fault.h"

namespace consort {

// Two equal identities: the same file, not written to in between.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;
  bool operator==(const FileIdentity&) const = default;
};

FileIdentity IdentityOf(const struct stat& status);

// Opens a regular file of at least one byte for reading. Sets `fd` and `identity` on success only.
// Where descriptors have run out it waits a second for one; then the fault is `ours`.
MaybeFault OpenRegularFile(const std::string& path, UniqueFd& fd, FileIdentity& identity);

// "no such file or directory": errno in words, beginning with a small letter. Thread-safe.
std::string ErrnoWords(int errno_value);

}  // namespace consort
