#include "supervisor/journal/file_system.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "shared/base/unique_fd.h"

namespace consort {

bool IsNetworkFileSystem(const std::string& folder) {
  // For tests: there is no network file system to test on.
  if (std::getenv("CONSORT_TEST_NETWORK_FS") != nullptr) return true;
  constexpr std::array<uint32_t, 12> kNetwork = {
      NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  0xFF534D42,        // NFS, SMB, CIFS
      0xFE534D42,      0x65735546,       0x0BD00BD0,        // SMB2, FUSE, Lustre
      0x47504653,      CEPH_SUPER_MAGIC, V9FS_MAGIC,        // GPFS, Ceph, 9p
      AFS_SUPER_MAGIC, 0x19830326,       CODA_SUPER_MAGIC,  // AFS, BeeGFS, Coda
  };
  struct statfs status {};
  if (::statfs(folder.c_str(), &status) != 0) return false;
  return std::ranges::find(kNetwork, static_cast<uint32_t>(status.f_type)) != kNetwork.end();
}

Status SyncFolder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS) {
    return SystemError("sync the folder", folder, errno);
  }
  return Ok();
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace consort
