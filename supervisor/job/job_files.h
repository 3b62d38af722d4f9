// What a job has on the disk, and whether this run begins it or goes on.
//
// Nothing that is there is changed before Begin, but for what a broken-off --retry-failed left to
// be finished. A folder that this run made goes again unless the job begins.
#pragma once

#include <memory>
#include <string>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/journal/job_folder.h"
#include "supervisor/journal/journal.h"
#include "supervisor/output/result_file.h"
#include "supervisor/plan/list.h"

namespace consort {

class JobFiles {
 public:
  // Results that are no regular file (standard output, a pipe, /dev/null) can be neither synced nor
  // cut back: no journal is kept for them.
  static bool CanKeep(const std::string& output);
  // `--job`, or beside the output.
  static std::string FolderFor(const RunOptions& options);

  // Takes the job's lock. Refuses results that belong to no job of ours, and a job that was begun
  // with other options.
  // `tags`: those parts of its identity that are the choice of tags.
  static Result<JobFiles> Open(const RunOptions& options, const Bundle& bundle,
                               const Identity& tags);

  // Whether the list is the one that the job was begun with, or longer. Leaves it at its beginning.
  Status CheckList(FileList& list);
  bool resumes() const { return resumes_; }
  // The job is done, its list has not grown, and its results are there.
  bool finished() const { return resumes_ && !grown_ && journal_->totals().finished(); }
  uint64_t files_failed();
  // The job's: as the options say, unless consort chose it when the job was begun, and it is
  // consort's choice still.
  int intra() const { return intra_; }

  // From here on there is a job, or another start of it.
  Status Begin(FileList& list);
  Result<ResultFile> OpenResults();
  // The job failed before it wrote anything: it never was.
  void Discard();

  Journal& journal() { return *journal_; }
  const std::string& folder() const { return folder_.path(); }

 private:
  JobFiles(JobFolder folder, const RunOptions& options)
      : folder_(std::move(folder)), options_(&options) {}
  using KnownIdentity = std::vector<std::pair<std::string, std::string>>;

  Status OpenJournal(const Bundle& bundle, const Identity& tags);
  // What the job that is there was begun with, if only to be begun anew; nullopt: there is none.
  Result<std::optional<KnownIdentity>> ReadBegun();
  // Results that are there may be written over: --restart, now or in a run that was cut off.
  bool anew() const { return options_->restart || (journal_ && journal_->anew()); }
  // The job that is there has its results where this run's are to be.
  bool NamesResults(const KnownIdentity& was) const;

  JobFolder folder_;
  const RunOptions* options_;
  Identity identity_;
  std::unique_ptr<Journal> journal_;  // none yet: nothing was begun here
  int intra_ = 1;
  bool resumes_ = false;
  bool known_ = false;  // the job that was there had these results
  bool grown_ = false;
};

}  // namespace consort
