// The folder of a job: who may use it, and what lies in it.
//
//   journal.db (-wal, -shm)   what the job has done, see journal.h
//   list                      the files of the job, see plan/list.h
//   lock                      held (flock) by the supervisor at work; its pid, for people. Made
//                             first, removed last: by it the rest is known as a job's own
//   log, log.1                what workers wrote, see job/job_log.h
//   quarantine.jsonl          what ended workers, see quarantine_file.h
//   exports                   which files beside are the job's own, see export/made_files.h
//   .consort-exports-lock     held (flock) while that is replaced
//   status.json               on network file systems only, see job_status.h
//
// The lock dies with the supervisor: its descriptor is closed at every exec, and no child is made
// without one. Whoever waits for it finds the same file by name when it gets it, or tries again.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class JobFolder {
 public:
  static constexpr int kLockPatienceMs = 5000;

  // Makes the folder (not the ones above it) if it is not there; refuses one that holds something
  // else; takes the lock, for which it waits up to `patience_ms`.
  static Result<JobFolder> Open(const std::string& path, int patience_ms = kLockPatienceMs);
  JobFolder(JobFolder&&) = default;
  // A folder that this run made and in which no job began is removed.
  ~JobFolder();

  const std::string& path() const { return path_; }
  std::string journal() const { return path_ + "/journal.db"; }
  std::string list() const { return path_ + "/list"; }
  bool has_journal() const;
  // A job began here: the folder stays.
  void Keep() { remove_ = false; }
  // The job never began after all: everything of it goes with this object.
  void Discard() { remove_ = made_; }

  // Puts a copy of what `fd` holds in the place of the list, whole or not at all.
  Status ReplaceList(int fd) const;
  // Removes a journal that nobody can use.
  Status RemoveJournal() const;

 private:
  JobFolder() = default;
  Status Lock(int patience_ms);

  std::string path_;
  UniqueFd lock_;
  bool made_ = false;
  bool remove_ = false;
};

}  // namespace consort
