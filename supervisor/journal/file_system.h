// What lies under a path, as far as a journal cares.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace consort {

// The folder lies on a file system whose other users do not share our memory (NFS, SMB, FUSE,
// Lustre, …): a shared WAL index does not work there. An unknown one counts as local.
bool IsNetworkFileSystem(const std::string& folder);

// What was made, renamed or removed in the folder is on the disk. Folders that cannot be opened or
// file systems that cannot sync one are no error.
Status SyncFolder(const std::string& folder);

// "." for a name without one.
std::string FolderOf(const std::string& path);

}  // namespace consort
