#include "supervisor/job/replace_results.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/base/folder.h"
#include "shared/base/unique_fd.h"
#include "shared/base/write_all.h"
#include "supervisor/journal/file_system.h"
#include "supervisor/loop/stop_signals.h"

namespace consort {
namespace {

constexpr size_t kPieceBytes = 256 * 1024;

std::string NewName(const std::string& real) {
  const size_t slash = real.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  return real.substr(0, name) + "." + real.substr(name) + ".consort-new";
}

class Splicer {
 public:
  Status Open(const std::string& old_path, const std::string& lines_path,
              const std::string& new_path) {
    old_.Reset(::open(old_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!old_) return SystemError("open", old_path, errno);
    lines_.Reset(::open(lines_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!lines_) return SystemError("open", lines_path, errno);
    path_ = new_path;
    new_.Reset(::open(new_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!new_) return SystemError("create", new_path, errno);
    struct stat status {};
    if (::fstat(old_.get(), &status) == 0) {
      [[maybe_unused]] const int mode = ::fchmod(new_.get(), status.st_mode & 07777);
    }
    buffer_.resize(kPieceBytes);
    return Ok();
  }
  Status FromOld(uint64_t begin, uint64_t size) { return Copy(old_.get(), begin, size); }
  Status FromLines(uint64_t begin, uint64_t size) { return Copy(lines_.get(), begin, size); }
  Status Sync() {
    return ::fsync(new_.get()) == 0 ? Ok() : Status(SystemError("sync", path_, errno));
  }
  // Before each piece, and at the end.
  Status CheckStop() {
    stopped_by_ = stops_.Take();
    return stopped_by_ == 0 ? Ok() : Status(Error{"stopped"});
  }
  uint64_t written() const { return written_; }
  // The signal that CheckStop's error stands for, or 0.
  int stopped_by() const { return stopped_by_; }

 private:
  Status Copy(int from, uint64_t begin, uint64_t size) {
    for (uint64_t done = 0; done < size;) {
      CONSORT_TRY(CheckStop());
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(size - done, buffer_.size()));
      const ssize_t got = ::pread(from, buffer_.data(), piece, static_cast<off_t>(begin + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return SystemError("read the results", "", errno);
      if (got == 0) return Error{"the results are shorter than the journal says"};
      CONSORT_TRY(WriteAll(new_.get(), {buffer_.data(), static_cast<size_t>(got)}, path_));
      // Begun at once, so that the sync at the end, which nothing stops, has little left to do.
      ::sync_file_range(new_.get(), static_cast<off_t>(written_), got, SYNC_FILE_RANGE_WRITE);
      done += static_cast<uint64_t>(got);
      written_ += static_cast<uint64_t>(got);
    }
    return Ok();
  }

  StopRequests stops_;
  int stopped_by_ = 0;
  UniqueFd old_;
  UniqueFd lines_;
  UniqueFd new_;
  std::string path_;
  std::string buffer_;
  uint64_t written_ = 0;
};

Status Rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("rename", from, errno);
  return SyncFolder(FolderOf(to));
}

// The new results, whole, beside the old ones; `lines_path` and `rows` as in ReplaceResults.
Status MakeNewResults(Journal& journal, const std::string& real, const std::string& lines_path,
                      const std::vector<FileRow>& rows, Splicer& splicer) {
  CONSORT_TRY(splicer.Open(real, lines_path, NewName(real)));
  uint64_t old_at = 0;    // in the old results
  uint64_t kept = 0;      // from here to old_at is to be copied
  uint64_t lines_at = 0;  // in the new lines
  auto next = rows.begin();
  const auto copy = [&](const FileRow& row) -> Status {
    if (next != rows.end() && next->file == row.file) {
      CONSORT_TRY(splicer.FromOld(kept, old_at - kept));
      CONSORT_TRY(splicer.FromLines(lines_at, next->bytes));
      lines_at += next->bytes;
      kept = old_at + row.bytes;
      ++next;
    }
    old_at += row.bytes;
    return Ok();
  };
  CONSORT_TRY(journal.ReadFiles(false, copy));
  if (old_at != journal.totals().bytes) {
    return Error{"the journal's files do not add up to the results' bytes"};
  }
  CONSORT_TRY(splicer.FromOld(kept, old_at - kept));
  CONSORT_TRY(splicer.Sync());
  // Its name, too: the journal, in another folder, is about to say that it is there.
  CONSORT_TRY(SyncFolder(FolderOf(real)));
  return splicer.CheckStop();
}

}  // namespace

Result<int> ReplaceResults(Journal& journal, const std::string& output,
                           const std::string& lines_path, const std::vector<FileRow>& rows,
                           const std::vector<QuarantineRow>& quarantined, const JobTotals& totals) {
  const std::string real = RealPath(output);  // the file is replaced, not a link to it
  Splicer splicer;
  const Status made = MakeNewResults(journal, real, lines_path, rows, splicer);
  if (!made) {
    // As long as nothing is promised: a full disk needs its room.
    ::unlink(NewName(real).c_str());
    if (splicer.stopped_by() != 0) return splicer.stopped_by();
    return made.error();
  }
  JobTotals next_totals = totals;
  next_totals.bytes = splicer.written();
  CONSORT_TRY(journal.BeginSwitch(rows, quarantined, next_totals));
  CONSORT_TRY(Rename(NewName(real), real));
  CONSORT_TRY(journal.EndSwitch());
  return 0;
}

Status FinishReplacing(Journal& journal, const std::string& output) {
  const std::string real = RealPath(output);
  const std::string made = NewName(real);
  if (!journal.switching()) {
    ::unlink(made.c_str());  // seldom there
    return Ok();
  }
  if (::access(made.c_str(), F_OK) == 0) CONSORT_TRY(Rename(made, real));
  return journal.EndSwitch();
}

}  // namespace consort
