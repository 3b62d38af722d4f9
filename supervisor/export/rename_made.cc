#include "supervisor/export/rename_made.h"

#include <cerrno>
#include <cstdio>

#include "shared/base/folder.h"

namespace consort {

Status RenameMade(std::string& made, const std::string& path) {
  if (::rename(made.c_str(), path.c_str()) != 0) return SystemError("create", path, errno);
  made.clear();
  if (const int trouble = SyncFolderEntries(FolderOf(path))) {
    return SystemError("sync the folder of", path, trouble);
  }
  return Ok();
}

}  // namespace consort
