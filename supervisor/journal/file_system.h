// What lies under a path, as far as a journal cares.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace consort {

// The folder lies on a file system whose other users do not share our memory (NFS, SMB, FUSE,
// Lustre, …): a shared WAL index does not work there. An unknown one counts as local.
bool IsNetworkFileSystem(const std::string& folder);

// SyncFolderEntries, its trouble in words.
Status SyncFolder(const std::string& folder);

}  // namespace consort
