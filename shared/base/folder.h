// Folders as places where names are kept.
#pragma once

#include <string>

namespace consort {

// The folder that a path's last name lies in: "." for a name without one.
std::string FolderOf(const std::string& path);

// Where links lead, so that a file is replaced and not a link to it; `path` itself if it is not
// there.
std::string RealPath(const std::string& path);

// Where what is needed for a while may lie: $TMPDIR, or /tmp.
std::string TemporaryPlace();

// What was made, renamed or removed in the folder is on the disk. Returns 0, or the errno of why it
// may not be. A folder that may be written but not read cannot be opened, hence not synced, and
// some file systems cannot sync one at all: neither is an error, the files' content is safe.
int SyncFolderEntries(const std::string& folder);

}  // namespace consort
