// What a job has done, for `consort status`: while it runs, and after.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/journal/journal.h"

namespace consort {

struct JobFailure {
  std::string file;  // as in the results, unescaped
  std::string code;
  std::string message;
  std::optional<double> at;  // seconds
};

// Which tags the job has; empty: as its bundle says.
struct JobTags {
  std::string top_k;
  std::string min_score;
  std::string labels;      // "6 of 8 labels (a hash of which)"
  std::string thresholds;  // those with one of their own, likewise
};

struct JobStatus {
  bool begun = false;
  std::string bundle;  // folder of the one given last; empty: no run since that is kept
  JobTags tags;
  JobTotals totals;
  std::map<std::string, uint64_t> failed;  // files, by code
  std::vector<JobFailure> failures;        // the first ones, in order of the list
  uint64_t quarantined = 0;                // segments, and files that cannot be opened
  std::vector<std::string> quarantine;     // the first ones' lines, in order of the list

  uint64_t files_failed() const;
};

// At most `most` failures, and as many of what is quarantined.
Result<JobStatus> ReadStatus(Database& database, size_t most);

// `pid` 0: nobody works on it.
std::string StatusJson(const JobStatus& status, pid_t pid);
std::string StatusText(const JobStatus& status, pid_t pid);

// The supervisor at work on the job in `folder`, by its number here. 0: there is none, or none
// whose lock is seen here: it may be on another machine. Takes no lock.
pid_t SupervisorOf(const std::string& folder);

// The journal of the job in `folder`, for reading; `pid`: who works on it, or 0. An error on a
// network file system whose supervisor has the journal for itself; `in_use` is set then.
Result<Database> OpenToLook(const std::string& folder, pid_t pid, bool* in_use = nullptr);

// Replaces `folder`/status.json, for readers that a journal on a network file system shuts out.
Status WriteStatusFile(Database& database, const std::string& folder);

// `consort status PATH`: a job's folder, or its results. Prints to standard output.
Status ShowStatus(const std::string& path, bool json);

}  // namespace consort
