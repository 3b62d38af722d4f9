#include "supervisor/job/job.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "shared/arena/arena.h"
#include "shared/base/clock.h"
#include "shared/bundle/built_for.h"
#include "shared/bundle/bundle.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/gather/scratch_file.h"
#include "supervisor/job/job_loop.h"
#include "supervisor/job/memory_need.h"
#include "supervisor/job/plan_fleet.h"
#include "supervisor/place/cpu_load.h"
#include "supervisor/place/fit_quota.h"
#include "supervisor/plan/operands.h"
#include "supervisor/view/status_line.h"
#include "supervisor/view/summary.h"

namespace consort {
namespace {

// For what memory should not hold: beside the results, where there is room for them too.
std::string ScratchFolder(const RunOptions& options) {
  if (!options.job.empty()) return options.job;
  if (options.output != "-") {
    const size_t slash = options.output.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : options.output.substr(0, slash);
  }
  const char* temporary = std::getenv("TMPDIR");
  return temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
}

Result<UniqueFd> MakeScratch(const std::string& folder) {
  auto made = MakeScratchFile(folder);
  if (made) return made;
  return Error{made.error().what, "name a folder that can be written with --job"};
}

ProgressStyle StyleOf(const RunOptions& options) {
  if (options.quiet) return ProgressStyle::kNone;
  switch (options.progress) {
    case RunOptions::Progress::kBar:
      return ProgressStyle::kBar;
    case RunOptions::Progress::kPlain:
      return ProgressStyle::kPlain;
    case RunOptions::Progress::kNone:
      return ProgressStyle::kNone;
    case RunOptions::Progress::kAuto:
      break;
  }
  return AutoProgressStyle(options.output == "-");
}

Status CheckBundle(const Bundle& bundle) {
  if (bundle.manifest.stateful) {
    return Error{"bundle \"" + bundle.folder +
                     "\" says \"stateful\": true, which is not supported yet: segments of a file "
                     "are shared out between workers",
                 "have the model reset its state in forward, and say \"stateful\": false"};
  }
  if (bundle.manifest.has_prepared) return Ok();
  return Error{"\"" + bundle.folder + "\" is a manifest, not a bundle",
               "make the bundle with consort-prepare"};
}

void ExitOnSignal(int number) { _exit(SignalExitStatus(number)); }

// With --restart the output may be there: it must not be what the job is to read.
Status CheckOutputIsNoOperand(const RunOptions& options) {
  struct stat output {};
  if (options.output == "-" || stat(options.output.c_str(), &output) != 0 ||
      !S_ISREG(output.st_mode)) {
    return Ok();
  }
  for (const auto& operand : options.operands) {
    struct stat status {};
    if (operand != "-" && stat(operand.c_str(), &status) == 0 && status.st_dev == output.st_dev &&
        status.st_ino == output.st_ino) {
      return Error{"\"" + operand + "\" is to be read, so it cannot be the output as well",
                   "name another file with -o"};
    }
  }
  return Ok();
}

// One for each place; none if the bundle has no weights.
template <typename Warn>
Result<std::vector<UniqueFd>> FillArenas(const Bundle& bundle, const Placement& placement,
                                         const Warn& warn) {
  std::vector<UniqueFd> arenas;
  if (bundle.weights.bytes == 0) return arenas;
  MemoryPolicy policy;
  for (const auto& place : placement.arenas) {
    const int like = arenas.empty() ? -1 : arenas.front().get();
    CONSORT_TRY(Arena arena,
                FillArena(bundle, {.node = place.memory_node, .cpus = place.cpus}, like, policy));
    warn(arena.warning);
    arenas.push_back(std::move(arena.memfd));
  }
  return arenas;
}

struct LoadLook {
  AllCpuTimes times;
  int64_t at_ns = 0;
};

// How busy CPUs are, where a quota leaves a choice of them. The first look was some time ago, so
// there is mostly nothing to wait for.
std::map<int, double> BusyNow(const Machine& machine, const LoadLook& before) {
  constexpr int64_t kWindowNs = 50'000'000;  // five of the kernel's ticks
  if (!machine.QuotaBinds()) return {};
  const int64_t left_ns = before.at_ns + kWindowNs - MonotonicNs();
  if (left_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(left_ns));
  return BusyShares(before.times, ReadCpuTimes());
}

Result<int> Run(const RunOptions& options) {
  CONSORT_TRY(const auto machine, ReadMachine());
  const LoadLook load{ReadCpuTimes(), MonotonicNs()};
  CONSORT_TRY(const auto bundle, LoadBundle(options.bundle));
  CONSORT_TRY(CheckBundle(bundle));
  CONSORT_TRY(const auto cpu, ReadCpuIdentity());
  CONSORT_TRY(CheckBuiltFor(bundle, cpu));
  // What is wrong with the results' file is told before anything takes time; it is made, or an old
  // one emptied, once nothing else can go wrong.
  CONSORT_TRY(CheckOutputIsNoOperand(options));
  CONSORT_TRY(ResultFile::CheckCreatable(options.output, options.restart));
  const std::string folder = ScratchFolder(options);
  CONSORT_TRY(auto spool, MakeScratch(folder));
  CONSORT_TRY(const auto list, SpoolOperands(options.operands, std::move(spool)));
  const auto progress = MakeProgress(StyleOf(options));
  for (const auto& warning : list->warnings()) progress->Message("warning: " + warning);
  if (list->size() == 0) {
    progress->Message("warning: the list is empty, nothing to do");
    CONSORT_TRY(auto results, ResultFile::Create(options.output, options.restart));
    CONSORT_TRY(results.Sync());
    return static_cast<int>(kDone);
  }
  CONSORT_TRY(auto scratch, MakeScratch(folder));
  const auto warn = [&progress](const std::string& text) {
    if (!text.empty()) progress->Message("warning: " + text);
  };
  const Machine used = FitToQuota(machine, BusyNow(machine, load));
  const auto placement = Place(used, {options.workers, options.engines, EstimateMemory(bundle)});
  for (const auto& warning : placement.warnings) warn(warning);
  warn(Oversubscribed(placement.split, options.intra, machine));
  CONSORT_TRY(const auto arenas, FillArenas(bundle, placement, warn));
  std::vector<int> arena_fds;
  for (const auto& arena : arenas) arena_fds.push_back(arena.get());
  CONSORT_TRY(auto fleet, PlanFleet(options, bundle, placement, arena_fds));
  CONSORT_TRY(auto results, ResultFile::Create(options.output, options.restart));

  Recorder recorder(bundle.labels, std::move(results), ScratchFile(std::move(scratch)));
  JobLoop loop(options, bundle, *list, recorder, *progress);
  const Result<int> ended = loop.Run(std::move(fleet));
  // A job that never began leaves nothing that the next try would be refused for.
  if (!ended && recorder.bytes_written() == 0) recorder.RemoveFile();
  progress->Finish(loop.View());
  if (ended && !options.quiet) {
    const std::string summary = FormatSummary(loop.Summary());
    std::fwrite(summary.data(), 1, summary.size(), stderr);
    if (options.output != "-") {
      std::fprintf(stderr, "results     %s%s\n", options.output.c_str(),
                   ended.value() > 128 ? ", as far as it came; --restart begins anew" : "");
    }
  }
  return ended;
}

}  // namespace

int RunJob(const RunOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would have the kernel reap our children
  // Until the loop watches for them, while nothing needs an orderly end.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    if (signal(number, ExitOnSignal) == SIG_IGN) signal(number, SIG_IGN);
  }
  const auto ended = Run(options);
  if (ended) return ended.value();
  std::fprintf(stderr, "consort: %s\n", ended.error().Sentence().c_str());
  return kFailed;
}

}  // namespace consort
