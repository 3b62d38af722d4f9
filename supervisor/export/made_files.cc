#include "supervisor/export/made_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace consort {

std::optional<FileStamp> FileStamp::Of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileStamp{static_cast<uint64_t>(status.st_size),
                   int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

MadeFiles MadeFiles::Read(const std::string& job_folder) {
  MadeFiles made;
  made.path_ = job_folder + "/exports";
  std::ifstream file(made.path_);
  std::string name;
  Entry entry;
  while (file >> name >> entry.file.bytes >> entry.file.mtime_ns >> entry.results.bytes >>
         entry.results.mtime_ns) {
    made.entries_[name] = entry;
  }
  return made;
}

MadeFiles::State MadeFiles::StateOf(const Format& format, const std::string& path,
                                    const std::string& results) const {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return State::kMissing;
  const auto file = FileStamp::Of(path);
  const auto found = entries_.find(format.name);
  if (!file || found == entries_.end() || found->second.file != *file) return State::kForeign;
  return FileStamp::Of(results) == found->second.results ? State::kCurrent : State::kOutdated;
}

void MadeFiles::Note(const Format& format, const std::string& path, const FileStamp& results) {
  if (const auto file = FileStamp::Of(path)) {
    entries_[std::string(format.name)] = {*file, results};
  }
}

void MadeFiles::Write() const {
  const std::string made = path_.substr(0, path_.rfind('/')) + "/.consort-exports";
  std::ofstream file(made, std::ios::trunc);
  for (const auto& [name, entry] : entries_) {
    file << name << ' ' << entry.file.bytes << ' ' << entry.file.mtime_ns << ' '
         << entry.results.bytes << ' ' << entry.results.mtime_ns << '\n';
  }
  file.close();
  if (!file || ::rename(made.c_str(), path_.c_str()) != 0) ::unlink(made.c_str());
}

}  // namespace consort
