#include "supervisor/figures/figures_file.h"

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

constexpr std::string_view kBeginning = "{\"consort\":";

}  // namespace

Status CheckFiguresFile(const std::string& path) {
  const std::string real = RealPath(path);
  const std::string folder = FolderOf(real);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return SystemError("write to", folder, errno);
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0) return Ok();
  if (S_ISREG(status.st_mode)) {
    const UniqueFd fd(::open(real.c_str(), O_RDONLY | O_CLOEXEC));
    char text[kBeginning.size()];
    const ssize_t got = fd ? ::read(fd.get(), text, sizeof(text)) : -1;
    if (got == 0 || (got > 0 && std::string_view(text, static_cast<size_t>(got)) == kBeginning)) {
      return Ok();
    }
  }
  return Error{"\"" + path + "\" is there and has no figures of a run in it",
               "name another file with --figures"};
}

Status WriteFigures(const std::string& path, std::string_view json) {
  const std::string real = RealPath(path);
  const std::string made = real + ".consort-new";
  UniqueFd fd(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) return SystemError("create", made, errno);
  Status written = WriteAll(fd.get(), json, made);
  fd.Reset();
  if (written && ::rename(made.c_str(), real.c_str()) != 0) {
    written = SystemError("rename", made, errno);
  }
  if (!written) ::unlink(made.c_str());
  return written;
}

}  // namespace consort
