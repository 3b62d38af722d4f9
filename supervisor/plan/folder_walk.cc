#include "supervisor/plan/folder_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include "supervisor/plan/operands.h"

namespace consort {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// What kind of thing `entry` is, by DT_*, as far as the walk cares.
unsigned char KindOf(DIR* folder, const dirent& entry, bool audio_name) {
  struct stat status {};
  unsigned char kind = entry.d_type;
  if (kind == DT_UNKNOWN) {
    if (::fstatat(::dirfd(folder), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return DT_UNKNOWN;
    }
    kind = static_cast<unsigned char>(IFTODT(status.st_mode));
  }
  // A link counts as a file if it leads to one; never as a folder, so there are no cycles.
  if (kind == DT_LNK && audio_name && ::fstatat(::dirfd(folder), entry.d_name, &status, 0) == 0 &&
      S_ISREG(status.st_mode)) {
    return DT_REG;
  }
  return kind;
}

// Names of one folder, end to end in one block: a folder may have a million of them.
class Names {
 public:
  void Add(std::string_view name, bool folder) {
    starts_.push_back(block_.size());
    block_.append(name);
    // Below a folder every path goes on with "/": with it, bytewise order of the names here is
    // bytewise order of the paths.
    if (folder) block_.push_back('/');
  }
  void Sort() {
    views_.reserve(starts_.size());
    for (size_t i = 0; i < starts_.size(); ++i) {
      const size_t end = i + 1 < starts_.size() ? starts_[i + 1] : block_.size();
      views_.push_back(std::string_view(block_).substr(starts_[i], end - starts_[i]));
    }
    std::vector<size_t>().swap(starts_);
    std::sort(views_.begin(), views_.end());
  }
  const std::vector<std::string_view>& sorted() const { return views_; }

 private:
  std::string block_;
  std::vector<size_t> starts_;
  std::vector<std::string_view> views_;
};

Status ReadNames(const std::string& path, Names& names) {
  std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (!folder) return SystemError("open folder", path, errno);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name.starts_with('.')) continue;
    const bool audio_name = HasAudioExtension(name);
    switch (KindOf(folder.get(), *entry, audio_name)) {
      case DT_DIR:
        names.Add(name, true);
        break;
      case DT_REG:
        if (audio_name) names.Add(name, false);
        break;
      default:
        break;
    }
  }
  if (errno != 0) return SystemError("read folder", path, errno);
  names.Sort();
  return Ok();
}

// `path` ends in "/" and is given back as it came.
Status Walk(std::string& path, bool top, ListSpooler& spooler) {
  Names names;
  if (Status read = ReadNames(path, names); !read) {
    if (top) return read.error();
    spooler.Warn(read.error().what + "; its files are left out");
    return Ok();
  }
  const size_t length = path.size();
  for (const std::string_view name : names.sorted()) {
    path.append(name);
    Status done = name.ends_with('/') ? Walk(path, false, spooler) : spooler.Add(path);
    path.resize(length);
    if (!done) return done;
  }
  return Ok();
}

}  // namespace

Status WalkFolder(const std::string& folder, ListSpooler& spooler) {
  std::string path = folder;
  if (!path.ends_with('/')) path.push_back('/');
  return Walk(path, true, spooler);
}

}  // namespace consort
