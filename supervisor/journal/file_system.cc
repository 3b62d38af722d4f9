#include "supervisor/journal/file_system.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "shared/base/folder.h"

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
  const int trouble = SyncFolderEntries(folder);
  return trouble == 0 ? Ok() : Status(SystemError("sync the folder", folder, trouble));
}

}  // namespace consort
