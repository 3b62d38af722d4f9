// A file without a name, for what memory should not hold: gone with the process, however it ends.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

// In `folder` (which exists), readable and writable. Where the file system has no O_TMPFILE, a
// file that is unlinked at once.
Result<UniqueFd> MakeScratchFile(const std::string& folder);

// Bytes put away by position; no order, no names.
class ScratchFile {
 public:
  explicit ScratchFile(UniqueFd fd) : fd_(std::move(fd)) {}

  // Appends; returns where.
  Result<uint64_t> Append(const std::string& bytes);
  // Reads [offset, offset + size) onto the end of `out`.
  Status Read(uint64_t offset, uint64_t size, std::string& out) const;
  // Forgets everything: the disk gets its blocks back.
  Status Clear();

 private:
  UniqueFd fd_;
  uint64_t end_ = 0;
};

}  // namespace consort
