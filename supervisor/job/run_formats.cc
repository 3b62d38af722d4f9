#include "supervisor/job/run_formats.h"

#include <sys/stat.h>

#include <cstdio>

#include "supervisor/cli/exit_status.h"
#include "supervisor/export/export.h"
#include "supervisor/export/made_files.h"
#include "supervisor/export/output_file.h"
#include "supervisor/loop/stop_signals.h"

namespace consort {
namespace {

Error Foreign(const std::string& path) {
  return {"\"" + path + "\" exists, and is not as this job's --format made it",
          "move it away, or name other results with -o"};
}

// Whatever came of it, the job itself is done.
Error AfterTheJob(const Error& error) {
  return {"the results are complete, but " + error.what,
          error.hint.empty() ? "once that is mended, the same command makes what is missing"
                             : error.hint};
}

Result<ExportTally> Make(const RunOptions& options, const std::vector<ExportTarget>& targets,
                         const FileStamp& stamp, const std::string& job_folder) {
  CONSORT_TRY(auto results, ResultsReader::Open(options.output, stamp.bytes));
  StopRequests stops;
  const ExportManner manner{options.merge_detections, [&stops] { return stops.Take(); }};
  return ExportTogether(results, targets, manner, [&](const ExportTarget& made) {
    MadeFiles::Note(job_folder, *made.format, made.path, stamp, options.merge_detections);
  });
}

void Tell(const RunOptions& options, const std::vector<ExportTarget>& targets,
          const ExportTally& tally, Progress& progress) {
  for (const auto& target : targets) {
    if (tally.recordings > 1 && !target.format->names_recordings) {
      progress.Message("warning: " + SeveralInOne(*target.format));
    }
  }
  if (options.quiet) return;
  std::string paths;
  for (const auto& target : targets) paths += (paths.empty() ? "" : ", ") + target.path;
  std::fprintf(stderr, "exported    %s\n", paths.c_str());
}

}  // namespace

Status CheckFormats(const RunOptions& options, const std::string& job_folder) {
  const MadeFiles made = MadeFiles::Read(job_folder);
  for (const Format* format : options.formats) {
    const std::string path = PathFor(*format, options.output);
    CONSORT_TRY(OutputFile::Check(path));
    const auto state = made.StateOf(*format, path, options.output, options.merge_detections);
    if (state == MadeFiles::State::kForeign) return Foreign(path);
  }
  return Ok();
}

Result<int> ExportFormats(const RunOptions& options, const std::string& job_folder, bool worked,
                          int status, Progress& progress) {
  const MadeFiles made = MadeFiles::Read(job_folder);
  std::vector<ExportTarget> targets;
  for (const Format* format : options.formats) {
    const std::string path = PathFor(*format, options.output);
    switch (made.StateOf(*format, path, options.output, options.merge_detections)) {
      case MadeFiles::State::kMissing:
      case MadeFiles::State::kOutdated:
        targets.push_back({format, path});
        break;
      case MadeFiles::State::kForeign:
        if (worked) return AfterTheJob(Foreign(path));
        progress.Message("warning: \"" + path +
                         "\" is not as --format made it, and stays as it is");
        break;
      case MadeFiles::State::kCurrent:
        break;
    }
  }
  const auto stamp = FileStamp::Of(options.output);
  if (targets.empty() || !stamp) return status;
  const auto tally = Make(options, targets, *stamp, job_folder);
  if (!tally) return AfterTheJob(tally.error());
  if (tally.value().stopped_by != 0) return SignalExitStatus(tally.value().stopped_by);
  Tell(options, targets, tally.value(), progress);
  return status;
}

}  // namespace consort
