#include "shared/base/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "shared/base/folder.h"
#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"

namespace consort {
namespace {

Status WriteBeside(const std::string& beside, Durable durable, const WriteContent& write) {
  const UniqueFd file(
      ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!file) return SystemError("create", beside, errno);
  CONSORT_TRY(write(file.get()));
  if (durable == Durable::kYes && ::fsync(file.get()) != 0) {
    return SystemError("sync", beside, errno);
  }
  return Ok();
}

}  // namespace

Status ReplaceFile(const std::string& path, const std::string& beside, Durable durable,
                   const WriteContent& write) {
  Status replaced = WriteBeside(beside, durable, write);
  if (replaced && ::rename(beside.c_str(), path.c_str()) != 0) {
    replaced = SystemError("rename", beside, errno);
  }
  if (!replaced) {
    ::unlink(beside.c_str());
    return replaced;
  }
  const std::string folder = FolderOf(path);
  const int trouble = durable == Durable::kYes ? SyncFolderEntries(folder) : 0;
  return trouble == 0 ? Ok() : Status(SystemError("sync the folder", folder, trouble));
}

Status ReplaceFile(const std::string& path, const std::string& beside, Durable durable,
                   std::string_view content) {
  return ReplaceFile(path, beside, durable, [&](int fd) { return WriteAll(fd, content, beside); });
}

}  // namespace consort
