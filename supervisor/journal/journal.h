// The journal of a job: what of its results counts, and where to go on.
//
// A SQLite database (WAL, synchronous=FULL), see docs/jobs.md for its tables. Each Commit is one
// transaction; before it, the bytes of the output that it counts must be on the disk. What is in it
// when a supervisor dies, or the power fails, is where the next one goes on.
//
// After an error nothing is written or synced any more: every later call returns that error. One
// supervisor at a time: the caller holds the job's lock.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/channel/stage.h"
#include "shared/record/error_code.h"
#include "supervisor/dispatch/resume_point.h"
#include "supervisor/journal/identity.h"
#include "supervisor/journal/quarantine_file.h"
#include "supervisor/journal/sqlite.h"

namespace consort {

// What is known of the whole job; one row.
struct JobTotals {
  uint64_t entries = 0;       // of the list
  uint64_t bytes = 0;         // of the output that count
  uint64_t head = 0;          // the first file whose lines are not all among them
  uint64_t head_segment = 0;  // its first segment whose line is not
  uint64_t head_bytes = 0;    // bytes of it that are
  std::string joiner;         // what is held back of it, see supervisor/join/; mostly empty
  uint64_t files_done = 0;    // failed ones included
  uint64_t segments = 0;
  double audio_seconds = 0;
  int64_t elapsed_ns = 0;  // of all runs together
  std::array<int64_t, kStageCount> stage_ns{};
  std::array<uint64_t, 4> restarts{};  // workers crashed, killed; templates crashed, killed
  uint64_t workers_replaced = 0;       // for their memory
  uint64_t idle_starts = 0;            // starts since something was last counted

  bool finished() const { return files_done == entries && head == entries; }
};

// A file that has ended, in results or in an error.
struct FileRow {
  uint64_t file = 0;
  int64_t size = 0;  // as its worker saw it; this and the next four are 0 if it was never opened
  int64_t mtime_ns = 0;
  int64_t samples = 0;
  int32_t rate = 0;
  uint32_t alignment = 0;
  int32_t channels = 0;   // where they are heard one by one; written, and read by ReadChannels
  uint64_t segments = 0;  // that have a line
  uint64_t bytes = 0;     // of all its lines
  std::optional<uint32_t> code;
  std::string error;  // the line that tells the error; empty without one
  bool tail = false;  // that line follows the segments' lines
};

// Lines of one file's consecutive segments that are not yet in the output.
struct AheadRow {
  uint64_t file = 0;
  uint64_t first = 0;
  uint64_t count = 0;
  std::string_view text;
};

// What one transaction adds.
struct JournalStep {
  JobTotals totals;
  std::vector<FileRow> files;              // ended since the last
  std::vector<AheadRow> ahead;             // since the last; not what is in the output by now
  std::vector<ResumeFile> open;            // all that are partly done
  std::vector<ResumeSuspect> suspects;     // all
  std::vector<ResumeSuspect> in_hand;      // all that engines are at
  std::vector<QuarantineRow> quarantined;  // since the last
};

class Journal {
 public:
  // The file may be missing: then an empty journal is made. A file that is no journal, or one of a
  // newer version, is an error. `in_use`: set if it is that another process has it for itself.
  static Result<std::unique_ptr<Journal>> Open(const std::string& path, bool* in_use = nullptr);

  // A job began here. If not, whatever else is in here does not count.
  bool begun() const { return begun_; }
  // A --restart came as far as Clear.
  bool anew() const { return anew_; }
  const JobTotals& totals() const { return totals_; }
  Result<std::vector<std::pair<std::string, std::string>>> ReadIdentity();
  Result<std::map<ErrorCode, uint64_t>> ReadFailed();
  // By file: the segments that were given up; of a file that cannot be opened, where it was begun.
  Result<std::map<uint64_t, std::vector<uint64_t>>> ReadQuarantined();
  // By file: the channels of those that failed, where they are heard one by one.
  Result<std::map<uint64_t, int32_t>> ReadChannels();
  // Where the dispatcher is to go on. `in_hand`: what engines were at counts as suspect.
  Result<ResumePoint> ReadResumePoint(bool suspect_in_hand);
  // Lines that are not in the output, in order of files: of each file `lines` for its rows, then
  // `end` if it has ended. The views live as long as the call.
  Status ReadAhead(const std::function<Status(const AheadRow&)>& lines,
                   const std::function<Status(const FileRow&)>& end);
  // Every ended file, in order; for those that failed `only_failed`.
  Status ReadFiles(bool only_failed, const std::function<Status(const FileRow&)>& each);

  // Forgets everything and begins; in two steps, since the list lies beside: between them the
  // journal says that no job began. `anew`: results that are there may be written over, as
  // --restart said; whoever goes on from here need not say so again.
  Status Clear(bool anew);
  Status Begin(const Identity& identity, uint64_t entries);
  // Goes on: another start, and perhaps a longer list or a mixed identity.
  Status GoOn(const Identity& identity, uint64_t entries);
  Status Commit(const JournalStep& step);

  // The files of `rows` were done again: their rows in place of the old ones, once the new results
  // have their name. So for what of these files was quarantined: `quarantined` instead of what is
  // there. Begin* is the promise, End* keeps it. What `totals` counts of restarts counts at once.
  Status BeginSwitch(const std::vector<FileRow>& rows,
                     const std::vector<QuarantineRow>& quarantined, const JobTotals& totals);
  Status EndSwitch();
  bool switching() const { return switching_; }

 private:
  Journal(Database database, std::string folder)
      : database_(std::move(database)), folder_(std::move(folder)) {}
  Status Prepare(const std::string& path, bool* in_use);
  Status ReadTotals();
  // Runs `body` in a transaction. An error is kept: it is the last thing that happens here.
  Status Transaction(const std::function<Status()>& body);
  Status WriteTotals(const JobTotals& totals);
  Status WriteIdentity(const Identity& identity);
  Status WriteFiles(const char* table, const std::vector<FileRow>& rows);
  Status WriteChannels(const std::vector<std::pair<uint64_t, int32_t>>& of_files);
  Status WriteQuarantine(const char* table, const std::vector<QuarantineRow>& rows);
  Status WriteOpen(const JournalStep& step);

  Database database_;
  std::string folder_;
  bool network_ = false;
  JobTotals totals_;
  std::string joiner_;  // as it lies in its table: what did not change is not written again
  bool begun_ = false;
  bool anew_ = false;
  bool switching_ = false;
  std::optional<Error> failed_;
};

// Reads a row of `SELECT kFileColumns`.
extern const char* const kFileColumns;
FileRow ReadFileRow(const Statement& row);

}  // namespace consort
