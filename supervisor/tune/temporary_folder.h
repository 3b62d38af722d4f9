// A folder below $TMPDIR that belongs to this process, and is gone with this object.
//
// A process that is killed cannot take its folder away: the next one does. So that nobody's folder
// is taken who lives, it is locked (flock) as long as its owner has it, and whoever takes one away
// holds its lock. The boot id of the kernel is in its name, and folders of other kernels are left
// alone: over a network file system their locks need not be seen here. `consort compare` makes its
// folders likewise (tools/compare/consort_compare/scratch.py); each takes away the other's, too.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class TemporaryFolder {
 public:
  // Before it makes one it takes away those that this user's dead processes left.
  static Result<TemporaryFolder> Make();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }

 private:
  TemporaryFolder() = default;

  std::string path_;
  UniqueFd lock_;
};

}  // namespace consort
