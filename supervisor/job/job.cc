#include "supervisor/job/job.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "shared/base/clock.h"
#include "shared/base/folder.h"
#include "shared/base/same_file.h"
#include "shared/bundle/built_for.h"
#include "shared/bundle/bundle.h"
#include "supervisor/choose/choose_tags.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/figures/figures_file.h"
#include "supervisor/figures/run_figures.h"
#include "supervisor/gather/scratch_file.h"
#include "supervisor/job/job_files.h"
#include "supervisor/job/job_loop.h"
#include "supervisor/job/make_fleet.h"
#include "supervisor/job/progress_style.h"
#include "supervisor/job/retry_failed.h"
#include "supervisor/job/run_formats.h"
#include "supervisor/job/signals.h"
#include "supervisor/job/tuned_split.h"
#include "supervisor/plan/operands.h"
#include "supervisor/view/status_line.h"
#include "supervisor/view/summary.h"

namespace consort {
namespace {

// For what memory should not hold, in a job without a folder of its own.
std::string TemporaryFolder(const RunOptions& options) {
  return options.job.empty() ? TemporaryPlace() : options.job;
}

Result<UniqueFd> MakeScratch(const std::string& folder) {
  auto made = MakeScratchFile(folder);
  if (made) return made;
  return Error{made.error().what, "name a folder that can be written with --job"};
}

// Starts in a row of which none counted anything; the next one suspects what they were at.
constexpr uint64_t kMostIdleStarts = 3;

// With --restart the output may be there: it must not be what the job is to read.
Status CheckOutputIsNoOperand(const RunOptions& options) {
  std::error_code missing;
  if (options.output == "-" || !std::filesystem::is_regular_file(options.output, missing)) {
    return Ok();
  }
  for (const auto& operand : options.operands) {
    if (operand != "-" && SameFile(operand, options.output)) {
      return Error{"\"" + operand + "\" is to be read, so it cannot be the output as well",
                   "name another file with -o"};
    }
  }
  return Ok();
}

// What a run stands on, whatever it is to do.
struct Ground {
  explicit Ground(FleetMaker maker) : fleets(std::move(maker)) {}

  FleetMaker fleets;
  Bundle bundle;       // its output as this run chooses
  Identity tags;       // that choice, as far as it is part of the job
  std::string folder;  // for scratch files
  std::unique_ptr<Progress> progress;
  std::unique_ptr<FileList> list;
  RunFigures* figures = nullptr;  // null: nobody wants them
};

Result<JobFleet> MakeFleet(const RunOptions& options, Ground& ground) {
  return ground.fleets.Make(options, ground.bundle, [&](const std::string& warning) {
    ground.progress->Message("warning: " + warning);
  });
}

// As a word of a shell's command line.
std::string ShellWord(const std::string& text) {
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=./:,@%^";
  const bool plain = std::ranges::all_of(text, [](char c) {
    return static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != std::string_view::npos;
  });
  if (plain && !text.empty()) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

void Summarize(const RunOptions& options, const JobLoop& loop, int status, bool resumable) {
  if (options.quiet) return;
  const std::string summary = FormatSummary(loop.Summary());
  std::fwrite(summary.data(), 1, summary.size(), stderr);
  if (options.output == "-") return;
  const char* more = "";
  if (status > 128 || loop.measured()) {
    more = resumable ? ", as far as it came; the same command goes on"
                     : ", as far as it came; --restart begins anew";
  }
  std::fprintf(stderr, "results     %s%s\n", options.output.c_str(), more);
  if (status == kSomeFailed && resumable) {
    // Results do not tell where a folder of another name is.
    const std::string& job = options.job.empty() ? options.output : options.job;
    std::fprintf(stderr, "failed      \"consort status %s\" tells which and why\n",
                 ShellWord(job).c_str());
  }
}

Status SpoolList(const RunOptions& options, Ground& ground) {
  CONSORT_TRY(auto spool, MakeScratch(ground.folder));
  CONSORT_TRY(ground.list, SpoolOperands(options.operands, std::move(spool)));
  for (const auto& warning : ground.list->warnings()) {
    ground.progress->Message("warning: " + warning);
  }
  if (ground.list->size() == 0) {
    ground.progress->Message("warning: there are no files, so there is nothing to do");
  }
  return Ok();
}

// Results that go where nothing can be counted: to standard output, a pipe, a device.
Result<int> RunWithoutJournal(const RunOptions& options, Ground& ground) {
  CONSORT_TRY(ResultFile::CheckCreatable(options.output, options.restart));
  CONSORT_TRY(SpoolList(options, ground));
  if (ground.list->size() == 0) {
    CONSORT_TRY(auto results, ResultFile::Create(options.output, options.restart));
    CONSORT_TRY(results.Sync());
    return static_cast<int>(kDone);
  }
  CONSORT_TRY(auto scratch, MakeScratch(ground.folder));
  CONSORT_TRY(auto fleet, MakeFleet(options, ground));
  CONSORT_TRY(auto results, ResultFile::Create(options.output, options.restart));
  Recorder recorder(ground.bundle, std::move(results), ScratchFile(std::move(scratch)));
  JobLoop loop(options, ground.bundle, *ground.list, recorder, *ground.progress);
  loop.TakeFigures(ground.figures);
  const Result<int> ended = loop.Run(std::move(fleet));
  ground.progress->Finish(loop.View());
  if (ended) Summarize(options, loop, ended.value(), false);
  return ended;
}

// All may be done by the time that a stop is over. Whoever asked for it does not want to wait for
// what failed to be done again.
int StoppedBeforeRetry(const RunOptions& options, const JobLoop& loop, int status) {
  if (!options.retry_failed || status != kSomeFailed) return status;
  // The loop has blocked these signals: one that came behind it still waits.
  const int number = loop.stop_signal() != 0 ? loop.stop_signal() : StopRequests().Take();
  return number != 0 ? SignalExitStatus(number) : status;
}

Result<int> RunWithJournal(const RunOptions& options, Ground& ground, JobFiles& files) {
  CONSORT_TRY(auto scratch, MakeScratch(ground.folder));
  JobFleet fleet;
  if (ground.list->size() > 0) {
    CONSORT_TRY(fleet, MakeFleet(options, ground));
  }
  CONSORT_TRY(files.Begin(*ground.list));
  auto results = files.OpenResults();
  if (!results) {
    files.Discard();
    return results.error();
  }
  Journal& journal = files.journal();
  Recorder recorder(ground.bundle, std::move(results).value(), ScratchFile(std::move(scratch)));
  recorder.KeepForJournal(true);
  JobLoop loop(options, ground.bundle, *ground.list, recorder, *ground.progress);
  if (files.resumes()) {
    // A supervisor that ends again and again before anything counts: what it was at is suspect.
    const bool doubtful = journal.totals().idle_starts > kMostIdleStarts;
    CONSORT_TRY(const auto point, journal.ReadResumePoint(doubtful));
    CONSORT_TRY(recorder.Resume(journal, point));
    CONSORT_TRY(loop.Resume(point));
    if (!options.quiet) {
      const uint64_t count = ground.list->size();
      ground.progress->Message(count == 1
                                   ? "going on: the one file is not done yet"
                                   : "going on: " + std::to_string(journal.totals().files_done) +
                                         " of " + std::to_string(count) + " files are done");
    }
  }
  loop.KeepJournal(journal, recorder);
  loop.KeepLog(files.folder());
  loop.TakeFigures(ground.figures);
  if (ground.list->size() == 0) {
    CONSORT_TRY(recorder.Sync());
    return static_cast<int>(kDone);
  }
  const Result<int> ended = loop.Run(std::move(fleet));
  ground.progress->Finish(loop.View());
  // A job that never began leaves nothing that the next try would be refused for.
  if (!ended && recorder.bytes_written() == 0 && journal.totals().files_done == 0 &&
      !files.resumes()) {
    recorder.RemoveFile();
    files.Discard();
  }
  if (!ended) return ended;
  const int status = StoppedBeforeRetry(options, loop, ended.value());
  Summarize(options, loop, status, true);
  return status;
}

// Whatever stopped a job that keeps a journal, the cure ends in the same words.
Error WithCure(Error error) {
  // What a worker program says comes as one sentence, its cure in it.
  if (!error.hint.empty() || error.what.find("; ") != std::string::npos) return error;
  const bool full = error.what.ends_with("no space left on device") ||
                    error.what.ends_with("disk quota exceeded");
  error.hint = std::string(full ? "make room" : "once that is mended") +
               (full ? ", then the same command goes on where it was"
                     : ", the same command goes on where it was");
  return error;
}

// What is left of the job to do. `status` is that of a finished one.
Result<int> WorkKept(const RunOptions& options, Ground& ground, JobFiles& files, int status) {
  if (!files.finished()) {
    CONSORT_TRY(status, RunWithJournal(options, ground, files));
    if (!options.retry_failed || status != kSomeFailed) return status;
    ground.list->Rewind();
  }
  if (options.retry_failed && status == kSomeFailed) {
    CONSORT_TRY(auto fleet, MakeFleet(options, ground));
    CONSORT_TRY(auto scratch, MakeScratch(ground.folder));
    return RetryFailed(options, ground.bundle, *ground.list, files, std::move(fleet),
                       ScratchFile(std::move(scratch)), *ground.progress, ground.figures);
  }
  if (ground.figures != nullptr) ground.figures->NothingToDo();
  const uint64_t count = ground.list->size();
  if (count == 0) return status;  // that has been said
  const bool one = count == 1;
  std::string words = one ? "the one file is" : "all " + std::to_string(count) + " files are";
  words += " in \"" + options.output + '"';
  if (status == kSomeFailed) {
    words += one ? ", as failed (--retry-failed tries it again)"
                 : ", failed ones too (--retry-failed tries them again)";
  }
  std::fprintf(stderr, "nothing to do: %s; --restart begins anew\n", words.c_str());
  return status;
}

Result<int> RunKept(const RunOptions& given, Ground& ground) {
  CONSORT_TRY(auto files, JobFiles::Open(given, ground.bundle, ground.tags));
  RunOptions options = given;
  ground.folder = files.folder();
  CONSORT_TRY(SpoolList(options, ground));
  CONSORT_TRY(files.CheckList(*ground.list));
  const int was = files.finished() && files.files_failed() > 0 ? kSomeFailed : kDone;
  const bool works = !files.finished() || (options.retry_failed && was == kSomeFailed);
  if (works && options.tuned && options.intra != files.intra()) {
    // Its split was measured with other engines than this job has: nobody knows what it is worth.
    options.workers.reset();
    options.engines.reset();
    options.tuned = false;
    ground.progress->Message("warning: the profile is not used after all: it is for --intra " +
                             std::to_string(options.intra) + ", and this job began with --intra " +
                             std::to_string(files.intra()));
  }
  options.intra = files.intra();
  if (works) CONSORT_TRY(CheckFormats(options, files.folder()));
  CONSORT_TRY(const int status, WorkKept(options, ground, files, was));
  // A job that did not come to its end exports nothing.
  if (status != kDone && status != kSomeFailed) return status;
  return ExportFormats(options, files.folder(), works, status, *ground.progress);
}

Result<int> Run(const RunOptions& given, RunFigures* figures) {
  RunOptions options = given;
  CONSORT_TRY(auto fleets, FleetMaker::Look());
  Ground ground(std::move(fleets));
  ground.figures = figures;
  CONSORT_TRY(ground.bundle, LoadBundle(options.bundle));
  CONSORT_TRY(CheckPrepared(ground.bundle));
  CONSORT_TRY(const auto cpu, ReadCpuIdentity());
  CONSORT_TRY(CheckBuiltFor(ground.bundle, cpu));
  CONSORT_TRY(auto chosen, ChooseTags(options.tags, ground.bundle));
  ground.bundle.manifest.output = std::move(chosen.output);
  ground.tags = std::move(chosen.identity);
  // What is wrong with the results' file is told before anything takes time; it is made, or an old
  // one emptied, once nothing else can go wrong.
  CONSORT_TRY(CheckOutputIsNoOperand(options));
  CONSORT_TRY(CheckOperands(options.operands));
  ground.progress = MakeProgress(StyleOf(options.quiet, options.progress, options.output == "-"));
  if (!chosen.warning.empty()) ground.progress->Message("warning: " + chosen.warning);
  UseTunedProfile(options, ground.bundle, cpu.model, ground.fleets.machine(),
                  [&](const std::string& line, bool warns) {
                    ground.progress->Message((warns ? "warning: " : "") + line);
                  });
  if (JobFiles::CanKeep(options.output)) {
    auto ended = RunKept(options, ground);
    if (!ended) return WithCure(ended.error());
    return ended;
  }
  ground.folder = TemporaryFolder(options);
  if (options.retry_failed) {
    return Error{"results that are no file cannot be put right", "name a file with -o"};
  }
  if (!options.formats.empty()) {
    return Error{
        "--format writes beside results that are a file, and \"" + options.output + "\" is none",
        "name a file with -o"};
  }
  if (!options.quiet) {
    ground.progress->Message(options.output == "-"
                                 ? "results on standard output cannot be resumed"
                                 : "results in \"" + options.output + "\" cannot be resumed");
  }
  return RunWithoutJournal(options, ground);
}

// Whether they are there or not.
bool NameSameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  };
  return whole(a) == whole(b);
}

int Told(const Error& error) {
  std::fprintf(stderr, "consort: %s\n", error.Sentence().c_str());
  return kFailed;
}

int Told(const Result<int>& ended) { return ended ? ended.value() : Told(ended.error()); }

// However the job ends; but for a file that could not be written anyway, and for one that is there
// where there was nothing to do.
int RunWithFigures(const RunOptions& options, int64_t start_ns) {
  if (options.output != "-" && NameSameFile(options.figures, options.output)) {
    return Told(Error{"--figures and -o name the same file", "name another one"});
  }
  for (const Format* format : options.formats) {
    if (!NameSameFile(options.figures, PathFor(*format, options.output))) continue;
    return Told(Error{"--figures and --format " + std::string(format->name) + " name the same file",
                      "name another one with --figures"});
  }
  const Status writable = CheckFiguresFile(options.figures);
  if (!writable) return Told(writable.error());
  RunFigures figures(options.measure_ns, start_ns);
  const int status = Told(Run(options, &figures));
  // Those of the run that did the work are worth more than that this one did none.
  if (figures.nothing_to_do() && HasFigures(options.figures)) {
    std::fprintf(stderr, "the figures in \"%s\" are left as they are: this run has none\n",
                 options.figures.c_str());
    return status;
  }
  const bool whole = status == kDone || status == kSomeFailed;
  const Status written =
      WriteFigures(options.figures, FiguresJson(figures.Close(status, whole, MonotonicNs())));
  return written ? status : Told(written.error());
}

}  // namespace

int RunJob(const RunOptions& options) {
  const int64_t start_ns = MonotonicNs();
  SetUpSignals();
  if (!options.figures.empty()) return RunWithFigures(options, start_ns);
  return Told(Run(options, nullptr));
}

}  // namespace consort
