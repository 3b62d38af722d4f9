#include "supervisor/export/export_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "shared/base/same_file.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/export/export.h"
#include "supervisor/export/made_files.h"
#include "supervisor/export/output_file.h"
#include "supervisor/export/recording_folder.h"
#include "supervisor/journal/job_look.h"
#include "supervisor/loop/stop_signals.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

// Where each format goes. All in one folder, if there is a file for each recording.
std::vector<ExportTarget> TargetsOf(const ExportOptions& options, const JobLook& job) {
  std::vector<ExportTarget> targets;
  for (const Format* format : options.formats) {
    targets.push_back(
        {format, options.output.empty() ? PathFor(*format, job.results) : options.output});
  }
  return targets;
}

// What stands at the target's path already is in the way.
Status CheckTarget(const ExportOptions& options, const JobLook& job, const ExportTarget& target) {
  const std::string& path = target.path;
  const std::string name(target.format->name);
  const bool several = options.formats.size() > 1;  // which -o cannot name
  if (options.per_recording) return RecordingFolder::Check(path);
  if (path == "-") return Ok();
  CONSORT_TRY(OutputFile::Check(path, several ? "-o, each format by itself" : "-o"));
  if (SameFile(path, job.results)) {
    return Error{"\"" + path + "\" is the results themselves",
                 several ? "leave " + name + " out of --format" : "name another file with -o"};
  }
  if (options.force || ::access(path.c_str(), F_OK) != 0) return Ok();
  const auto state = MadeFiles::Read(job.folder)
                         .StateOf(*target.format, path, job.results, options.merge_detections);
  const bool ours = options.output.empty() && state != MadeFiles::State::kForeign;
  if (ours) return Ok();
  return Error{"\"" + path + "\" exists",
               several ? "add --force to replace it, or export " + name + " by itself, with -o"
                       : "name another file with -o, or add --force to replace it"};
}

void Tell(const ExportOptions& options, const std::vector<ExportTarget>& targets,
          const ExportTally& tally) {
  std::string exported =
      CountedLong(tally.recordings, "recording") + ", " + CountedLong(tally.intervals, "interval");
  if (options.merge_detections) exported += ", " + CountedLong(tally.merged, "merged detection");
  const bool one_folder = options.per_recording;
  for (const ExportTarget& target : targets) {
    if (one_folder && &target != &targets.front()) break;
    const bool told = std::ranges::any_of(
        targets, [&](const ExportTarget& it) { return it.format->tells_errors; });
    std::fprintf(stderr, "exported    %s: %s%s\n",
                 target.path == "-" ? "standard output" : target.path.c_str(), exported.c_str(),
                 WordsOnFailures(tally, one_folder ? told : target.format->tells_errors).c_str());
  }
  if (one_folder || tally.recordings <= 1) return;
  for (const ExportTarget& target : targets) {
    if (target.format->names_recordings) continue;
    std::fprintf(stderr, "warning: %s\n", SeveralInOne(*target.format).c_str());
  }
}

Result<int> Export(const ExportOptions& options) {
  CONSORT_TRY(const JobLook job, LookAtJob(options.job));
  const auto targets = TargetsOf(options, job);
  for (const auto& target : targets) CONSORT_TRY(CheckTarget(options, job, target));
  auto exported = FileStamp::Of(job.results);
  // A job at work may have written more that does not count yet, and is not exported.
  if (exported) exported->bytes = job.bytes;
  CONSORT_TRY(auto results, ResultsReader::Open(job.results, job.bytes));
  if (!job.finished) {
    std::fprintf(stderr, "warning: the job is %s: what counts so far is exported, %s of %s files\n",
                 job.pid != 0 ? "still at work" : "not finished",
                 WithThousands(job.files_done).c_str(), WithThousands(job.entries).c_str());
  }
  // Standard output may wait for its reader, and leaves nothing to be put in order.
  std::optional<StopRequests> stops;
  if (options.output != "-") stops.emplace();
  const ExportManner manner{options.merge_detections,
                            [&stops] { return stops ? stops->Take() : 0; }};
  const InPlace note = [&](const ExportTarget& made) {
    if (!options.output.empty() || !exported) return;
    MadeFiles::Note(job.folder, *made.format, made.path, *exported, options.merge_detections);
  };
  CONSORT_TRY(const auto tally, options.per_recording
                                    ? ExportApart(results, options.formats, options.output, manner)
                                    : ExportTogether(results, targets, manner, note));
  if (tally.stopped_by != 0) return SignalExitStatus(tally.stopped_by);
  Tell(options, targets, tally);
  return static_cast<int>(kDone);
}

}  // namespace

int RunExport(const ExportOptions& options) {
  const auto ended = Export(options);
  if (ended) return ended.value();
  std::fprintf(stderr, "consort: %s\n", ended.error().Sentence().c_str());
  return kFailed;
}

}  // namespace consort
