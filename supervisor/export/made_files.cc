#include "supervisor/export/made_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "shared/base/replace_file.h"
#include "shared/base/unique_fd.h"

namespace consort {
namespace {

constexpr std::string_view kMerged = "+merged";  // behind the name of a format

// Between reading the notes and replacing them nobody else may. Not the job's own lock: that one is
// a supervisor's, who may be at work. A file of its own, since the notes are replaced. Where there
// are no locks it goes without.
UniqueFd LockNotes(const std::string& job_folder) {
  const std::string path = job_folder + "/.consort-exports-lock";
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  while (fd && ::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) break;
  }
  return fd;
}

}  // namespace

std::optional<FileStamp> FileStamp::Of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileStamp{static_cast<uint64_t>(status.st_size),
                   int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

MadeFiles MadeFiles::Read(const std::string& job_folder) {
  MadeFiles made;
  std::ifstream file(PathIn(job_folder));
  std::string name;
  Entry entry;
  while (file >> name >> entry.file.bytes >> entry.file.mtime_ns >> entry.results.bytes >>
         entry.results.mtime_ns) {
    entry.merged = name.ends_with(kMerged);
    if (entry.merged) name.resize(name.size() - kMerged.size());
    made.entries_[name] = entry;
  }
  return made;
}

MadeFiles::State MadeFiles::StateOf(const Format& format, const std::string& path,
                                    const std::string& results, bool merged) const {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return State::kMissing;
  const auto file = FileStamp::Of(path);
  const auto found = entries_.find(format.name);
  if (!file || found == entries_.end() || found->second.file != *file) return State::kForeign;
  const Entry& entry = found->second;
  const bool same = entry.merged == merged && FileStamp::Of(results) == entry.results;
  return same ? State::kCurrent : State::kOutdated;
}

void MadeFiles::Note(const std::string& job_folder, const Format& format, const std::string& path,
                     const FileStamp& results, bool merged) {
  const auto file = FileStamp::Of(path);
  if (!file) return;
  const UniqueFd lock = LockNotes(job_folder);
  MadeFiles made = Read(job_folder);
  made.entries_[std::string(format.name)] = {*file, results, merged};
  (void)ReplaceFile(PathIn(job_folder), job_folder + "/.consort-exports", Durable::kNo,
                    made.Text());
}

std::string MadeFiles::Text() const {
  std::ostringstream text;
  for (const auto& [name, entry] : entries_) {
    text << name << (entry.merged ? kMerged : "") << ' ' << entry.file.bytes << ' '
         << entry.file.mtime_ns << ' ' << entry.results.bytes << ' ' << entry.results.mtime_ns
         << '\n';
  }
  return text.str();
}

}  // namespace consort
