#include "supervisor/job/job_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "supervisor/job/replace_results.h"
#include "supervisor/journal/file_system.h"
#include "supervisor/journal/list_change.h"

namespace consort {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace

bool JobFiles::CanKeep(const std::string& output) {
  struct stat status {};
  return output != "-" && (::stat(output.c_str(), &status) != 0 || S_ISREG(status.st_mode));
}

std::string JobFiles::FolderFor(const RunOptions& options) {
  return options.job.empty() ? options.output + ".job" : options.job;
}

Result<JobFiles> JobFiles::Open(const RunOptions& options, const Bundle& bundle,
                                const Identity& tags) {
  const std::string path = FolderFor(options);
  // Told before a folder is made: what is wrong with the results' own.
  const bool job = Exists(path + "/journal.db");
  CONSORT_TRY(ResultFile::CheckCreatable(options.output, options.restart || job, job));
  CONSORT_TRY(auto folder, JobFolder::Open(path));
  JobFiles files(std::move(folder), options);
  CONSORT_TRY(files.OpenJournal(bundle, tags));
  if (!files.resumes_) {
    CONSORT_TRY(ResultFile::CheckCreatable(options.output, files.anew(), files.known_));
  }
  return files;
}

Result<std::optional<JobFiles::KnownIdentity>> JobFiles::ReadBegun() {
  using None = std::optional<KnownIdentity>;
  if (!folder_.has_journal()) return None();
  bool in_use = false;
  auto journal = Journal::Open(folder_.journal(), &in_use);
  if (!journal) {
    if (!options_->restart || in_use) return journal.error();
    CONSORT_TRY(folder_.RemoveJournal());
    return None();
  }
  journal_ = std::move(journal).value();
  if (!journal_->begun()) return None();
  auto was = journal_->ReadIdentity();
  if (was) return std::optional(std::move(was).value());
  if (options_->restart) return None();
  return was.error();
}

bool JobFiles::NamesResults(const KnownIdentity& was) const {
  const auto own = std::ranges::find(identity_, std::string("output"), &IdentityPart::key);
  return own != identity_.end() &&
         std::ranges::find(was, std::pair(own->key, own->value)) != was.end();
}

Status JobFiles::OpenJournal(const Bundle& bundle, const Identity& tags) {
  CONSORT_TRY(const auto there, ReadBegun());
  const bool goes_on = there && !options_->restart;
  // A profile may have come, gone or changed since: the same command goes on all the same.
  const auto chosen = goes_on && !options_->intra_given ? IntraChosenThen(*there) : std::nullopt;
  intra_ = chosen.value_or(options_->intra);
  identity_ = MakeIdentity({.bundle = bundle.folder,
                            .model_sha256 = bundle.model_sha256,
                            .torch_version = bundle.manifest.prepared.torch_version,
                            .intra = intra_,
                            .intra_given = options_->intra_given,
                            .output = options_->output,
                            .job = folder_.path(),
                            .tags = tags});
  known_ = there && NamesResults(*there);
  if (!goes_on) return Ok();
  CONSORT_TRY(CompareIdentity(*there, identity_, folder_.path(), options_->mixed));
  resumes_ = true;
  return FinishReplacing(*journal_, options_->output);
}

Status JobFiles::CheckList(FileList& list) {
  if (!resumes_) return Ok();
  UniqueFd fd(::open(folder_.list().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    Error error = SystemError("open the job's list", folder_.list(), errno);
    error.hint = "put it back, or begin anew with --restart";
    return error;
  }
  auto was = FileList::Open(std::move(fd));
  CONSORT_TRY(const ListChange change, CompareLists(*was, list));
  list.Rewind();
  grown_ = change == ListChange::kGrown || journal_->totals().entries != list.size();
  // Of one that is done nothing may follow what counts, not even where the list has grown: there
  // it would be cut off as what a death left.
  if (!journal_->totals().finished()) return Ok();
  // Its results are looked at, not opened for writing.
  struct stat status {};
  const uint64_t counted = journal_->totals().bytes;
  const bool there = ::stat(options_->output.c_str(), &status) == 0;
  if (there && static_cast<uint64_t>(status.st_size) == counted) return Ok();
  if (!there && counted == 0 && grown_) return Ok();  // they are made then
  return Error{"the job is done, but its results in \"" + options_->output +
                   "\" are gone or were altered: " + std::to_string(counted) + " bytes count",
               "put them back, or begin anew with --restart"};
}

uint64_t JobFiles::files_failed() {
  const auto failed = journal_->ReadFailed();
  uint64_t all = 0;
  if (failed) {
    for (const auto& [code, count] : failed.value()) all += count;
  }
  return all;
}

Status JobFiles::Begin(FileList& list) {
  if (resumes_) {
    if (grown_) CONSORT_TRY(folder_.ReplaceList(list.spool_fd()));
    folder_.Keep();
    return journal_->GoOn(identity_, list.size());
  }
  if (!journal_) {
    CONSORT_TRY(journal_, Journal::Open(folder_.journal()));
  }
  // In between, nothing is begun here: whatever stops us, the same command may be given again.
  CONSORT_TRY(journal_->Clear(anew()));
  CONSORT_TRY(folder_.ReplaceList(list.spool_fd()));
  CONSORT_TRY(journal_->Begin(identity_, list.size()));
  folder_.Keep();
  return Ok();
}

Result<ResultFile> JobFiles::OpenResults() {
  if (!resumes_) return ResultFile::Create(options_->output, anew(), known_);
  return ResultFile::Resume(options_->output, journal_->totals().bytes);
}

void JobFiles::Discard() {
  if (resumes_) return;
  journal_.reset();
  folder_.Discard();
}

}  // namespace consort
