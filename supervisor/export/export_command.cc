#include "supervisor/export/export_command.h"

#include <unistd.h>

#include <cstdio>
#include <optional>

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

// What stands at `path` already is in the way.
Status CheckTarget(const ExportOptions& options, const JobLook& job, const std::string& path) {
  if (options.per_recording) return RecordingFolder::Check(path);
  if (path == "-") return Ok();
  CONSORT_TRY(OutputFile::Check(path));
  if (SameFile(path, job.results)) {
    return Error{"\"" + path + "\" is the results themselves", "name another file with -o"};
  }
  if (options.force || ::access(path.c_str(), F_OK) != 0) return Ok();
  const auto state = MadeFiles::Read(job.folder).StateOf(*options.format, path, job.results);
  const bool ours = options.output.empty() && state != MadeFiles::State::kForeign;
  if (ours) return Ok();
  return Error{"\"" + path + "\" exists",
               "name another file with -o, or add --force to replace it"};
}

void Tell(const ExportOptions& options, const std::string& path, const ExportTally& tally) {
  std::fprintf(stderr, "exported    %s: %s recordings, %s intervals%s\n",
               path == "-" ? "standard output" : path.c_str(),
               WithThousands(tally.recordings).c_str(), WithThousands(tally.intervals).c_str(),
               WordsOnFailures(tally, options.format->tells_errors).c_str());
  if (!options.per_recording && tally.recordings > 1 && !options.format->names_recordings) {
    std::fprintf(stderr, "warning: %s\n", SeveralInOne(*options.format).c_str());
  }
}

Result<int> Export(const ExportOptions& options) {
  CONSORT_TRY(const JobLook job, LookAtJob(options.job));
  const std::string path =
      options.output.empty() ? PathFor(*options.format, job.results) : options.output;
  CONSORT_TRY(CheckTarget(options, job, path));
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
  if (path != "-") stops.emplace();
  const StopAsked stop = [&stops] { return stops ? stops->Take() : 0; };
  const ExportTarget target{options.format, path};
  const InPlace note = [&](const ExportTarget& made) {
    if (!options.output.empty() || !exported) return;
    MadeFiles::Note(job.folder, *made.format, made.path, *exported);
  };
  CONSORT_TRY(const auto tally, options.per_recording
                                    ? ExportApart(results, target, stop)
                                    : ExportTogether(results, {target}, stop, note));
  if (tally.stopped_by != 0) return SignalExitStatus(tally.stopped_by);
  Tell(options, path, tally);
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
