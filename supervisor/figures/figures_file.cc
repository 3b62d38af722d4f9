#include "supervisor/figures/figures_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/base/folder.h"
#include "shared/base/replace_file.h"
#include "shared/base/unique_fd.h"

namespace consort {
namespace {

constexpr size_t kBeginningBytes = 64;

// As FiguresJson begins. Other files of ours have something else behind the program's version.
bool BeginsAsFigures(std::string_view text) {
  constexpr std::string_view kBefore = "{\"consort\":\"";
  constexpr std::string_view kBehind = "\",\"figures\":";
  if (!text.starts_with(kBefore)) return false;
  text.remove_prefix(kBefore.size());
  return text.substr(std::min(text.find('"'), text.size())).starts_with(kBehind);
}

}  // namespace

Status CheckFiguresFile(const std::string& path) {
  const std::string real = RealPath(path);
  const std::string folder = FolderOf(real);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return SystemError("write to", folder, errno);
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0) return Ok();
  if (S_ISREG(status.st_mode)) {
    const UniqueFd fd(::open(real.c_str(), O_RDONLY | O_CLOEXEC));
    char text[kBeginningBytes];
    const ssize_t got = fd ? ::read(fd.get(), text, sizeof(text)) : -1;
    if (got == 0 || (got > 0 && BeginsAsFigures({text, static_cast<size_t>(got)}))) return Ok();
  }
  return Error{"\"" + path + "\" is there and has no figures of a run in it",
               "name another file with --figures"};
}

bool HasFigures(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && status.st_size > 0;
}

Status WriteFigures(const std::string& path, std::string_view json) {
  const std::string real = RealPath(path);  // the file is replaced, not a link to it
  return ReplaceFile(real, real + ".consort-new", Durable::kNo, json);
}

}  // namespace consort
