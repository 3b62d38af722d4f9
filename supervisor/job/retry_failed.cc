#include "supervisor/job/retry_failed.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "supervisor/cli/exit_status.h"
#include "supervisor/job/file_total.h"
#include "supervisor/job/job_loop.h"
#include "supervisor/job/replace_results.h"
#include "supervisor/view/summary.h"

namespace consort {
namespace {

// All but those in `rows` are done.
ResumePoint AllBut(const std::vector<FileRow>& rows, uint64_t entries) {
  ResumePoint point;
  uint64_t next = 0;
  for (const auto& row : rows) {
    point.done.AddRange(next, row.file);
    next = row.file + 1;
  }
  point.done.AddRange(next, entries);
  return point;
}

class RemovedAtTheEnd {
 public:
  explicit RemovedAtTheEnd(std::string path) : path_(std::move(path)) { ::unlink(path_.c_str()); }
  ~RemovedAtTheEnd() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

int ToldAsStopped(int status) {
  std::fprintf(stderr, "stopped: the results are as they were before --retry-failed\n");
  return status;
}

}  // namespace

Result<int> RetryFailed(const RunOptions& options, const Bundle& bundle, FileList& list,
                        JobFiles& files, JobFleet fleet, ScratchFile scratch, Progress& progress,
                        RunFigures* figures) {
  Journal& journal = files.journal();
  std::vector<FileRow> failed;
  JobTotals totals = journal.totals();
  CONSORT_TRY(const auto crashed, journal.ReadQuarantined());
  CONSORT_TRY(const auto channels, journal.ReadChannels());
  CONSORT_TRY(journal.ReadFiles(true, [&](FileRow row) {
    const auto several = channels.find(row.file);
    if (several != channels.end()) row.channels = several->second;
    const auto known = crashed.find(row.file);
    const auto counted =
        FileTotalOf(row, known == crashed.end() ? std::vector<uint64_t>() : known->second,
                    bundle.manifest.audio.segment_ns, bundle.manifest.audio.hop_ns);
    totals.segments -= std::min(totals.segments, counted.segments);
    totals.audio_seconds = std::max(0.0, totals.audio_seconds - counted.audio_seconds);
    failed.push_back(row);
    failed.back().error.clear();
    return Ok();
  }));
  if (!options.quiet) {
    progress.Message(failed.size() == 1 ? std::string("once more: the file that failed")
                                        : "once more: the " + std::to_string(failed.size()) +
                                              " files that failed");
  }
  const RemovedAtTheEnd lines(files.folder() + "/retry.jsonl");
  CONSORT_TRY(auto results, ResultFile::Create(lines.path(), false));
  Recorder recorder(bundle, std::move(results), std::move(scratch));
  recorder.KeepForJournal(false);
  CONSORT_TRY(recorder.OnlyThese(failed, list.size()));
  JobLoop loop(options, bundle, list, recorder, progress);
  loop.KeepLog(files.folder());
  loop.TakeFigures(figures);
  CONSORT_TRY(loop.Resume(AllBut(failed, list.size())));
  CONSORT_TRY(const int status, loop.Run(std::move(fleet)));
  progress.Finish(loop.View());
  if (status != kDone && status != kSomeFailed) return ToldAsStopped(status);
  auto rows = recorder.ended();
  std::ranges::sort(rows, {}, &FileRow::file);
  const JobSummary summary = loop.Summary();
  totals.segments += summary.segments;
  totals.audio_seconds += summary.audio_seconds;
  totals.elapsed_ns += static_cast<int64_t>(summary.elapsed_s * 1e9);
  totals.restarts[0] += summary.workers_restarted.crashed;
  totals.restarts[1] += summary.workers_restarted.killed;
  totals.restarts[2] += summary.templates_restarted.crashed;
  totals.restarts[3] += summary.templates_restarted.killed;
  totals.workers_replaced += summary.workers_restarted.replaced;
  CONSORT_TRY(const int stopped_by, ReplaceResults(journal, options.output, lines.path(), rows,
                                                   recorder.quarantined(), totals));
  if (stopped_by != 0) return ToldAsStopped(SignalExitStatus(stopped_by));
  if (!options.quiet) {
    const std::string text = FormatSummary(summary);
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fprintf(stderr, "results     %s\n", options.output.c_str());
  }
  return status;
}

}  // namespace consort
