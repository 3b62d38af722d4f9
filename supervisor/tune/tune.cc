#include "supervisor/tune/tune.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "shared/base/clock.h"
#include "shared/base/folder.h"
#include "shared/bundle/built_for.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/cli/version.h"
#include "supervisor/gather/scratch_file.h"
#include "supervisor/job/memory_bounds.h"
#include "supervisor/job/memory_need.h"
#include "supervisor/job/signals.h"
#include "supervisor/place/fit_quota.h"
#include "supervisor/place/words.h"
#include "supervisor/plan/operands.h"
#include "supervisor/profile/profile_folder.h"
#include "supervisor/tune/measured_run.h"
#include "supervisor/tune/progress.h"
#include "supervisor/tune/report.h"
#include "supervisor/tune/sample.h"
#include "supervisor/tune/search.h"
#include "supervisor/tune/temporary_folder.h"
#include "supervisor/view/number.h"
#include "supervisor/view/wall_clock.h"

namespace consort {
namespace {

// Fewer segments say nothing about speed.
constexpr int64_t kFewestSegments = 10;
// A list that ran out early has done, if so much of the time, or so much at all, was counted.
constexpr double kEnoughOfWindow = 0.5;
constexpr int64_t kPlentyOfSegments = 1000;
// Entries of the trials' list: at least (so many times more whenever it ran out), and at most. In
// between by the speed that was seen: enough for the trial and for what comes before it.
constexpr uint64_t kFirstEntries = 4096;
constexpr uint64_t kMostEntries = 500'000;
constexpr uint64_t kLengthen = 8;
constexpr double kBeforeSeconds = 3;
constexpr double kSpareFactor = 2;
// For ending the last trial and writing the profile.
constexpr double kReserveSeconds = 0.3;
constexpr int kMostWarmUps = 4;

std::string ResultWords(const TrialFigures& figures) {
  std::string words = ShortNumber(figures.per_second) + " segments/s";
  if (figures.p95_ms > 0) words += ", p95 " + ShortNumber(figures.p95_ms) + " ms";
  if (figures.peak_bytes > 0) words += ", " + Bytes(figures.peak_bytes);
  return words;
}

bool IsTooLittle(const TrialFigures& figures, double asked_s) {
  if (figures.counted < kFewestSegments || figures.per_second <= 0) return true;
  return !figures.complete && figures.seconds < kEnoughOfWindow * asked_s &&
         figures.counted < kPlentyOfSegments;
}

class Tuning {
 public:
  explicit Tuning(const TuneOptions& options)
      : options_(options), began_ns_(MonotonicNs()), progress_(options) {}

  // The exit status.
  Result<int> Run();

 private:
  // What came of the trials: go on, or leave with a status (an error otherwise).
  using Left = std::optional<int>;

  double Elapsed() const { return static_cast<double>(MonotonicNs() - began_ns_) / 1e9; }
  double LeftSeconds() const { return options_.seconds - kReserveSeconds - Elapsed(); }

  Status Prepare();
  // The automatic split, not counted: files get into the kernel's cache, those that fail are left
  // out, and how long a list must be is seen.
  Result<Left> WarmUp(Signals& signals);
  Result<Left> SearchOn(Signals& signals);
  Result<int> Conclude();
  Result<MeasuredRun> TryOne(const Candidate& candidate, double seconds, Signals& signals);
  // It ran out.
  void LengthenList() { least_entries_ = std::min(kMostEntries, kLengthen * least_entries_); }
  Error NothingCounted() const;

  const TuneOptions& options_;
  int64_t began_ns_;
  TuneProgress progress_;
  Bundle bundle_;
  ProfileKey key_;
  std::string profiles_;  // folder
  TreeLimit limit_;
  bool limit_is_given_ = false;  // by --memory-limit or a control group, not just by the machine
  std::vector<Candidate> candidates_;
  std::optional<Sample> sample_;
  std::optional<TemporaryFolder> folder_;
  std::optional<Search> search_;
  std::vector<ProfileTrial> trials_;
  uint64_t entries_ = 0;  // of the list that is written
  uint64_t least_entries_ = kFirstEntries;
  double most_per_second_ = 0;
  int number_ = 0;        // of the trial
  bool cut_off_ = false;  // the last trial, by the time
  std::string last_failure_;
};

Status Tuning::Prepare() {
  CONSORT_TRY(bundle_, LoadBundle(options_.bundle));
  CONSORT_TRY(CheckPrepared(bundle_));
  CONSORT_TRY(const auto cpu, ReadCpuIdentity());
  CONSORT_TRY(CheckBuiltFor(bundle_, cpu));
  CONSORT_TRY(CheckOperands(options_.operands));
  CONSORT_TRY(const auto machine, ReadMachine());
  key_ = {.consort = kVersion,
          .cpu = cpu.model,
          .usable_cpus = machine.usable_cpus,
          .bundle_sha256 = bundle_.sha256};
  profiles_ = ProfileFolder();
  if (profiles_.empty()) {
    return Error{"there is no place for a profile",
                 "set HOME or XDG_CONFIG_HOME, to an absolute path"};
  }
  CONSORT_TRY(MakeProfileFolder(profiles_));
  if (const std::string ignored = IgnoredConfigHome(); !ignored.empty()) {
    progress_.Message("warning: " + ignored + ": the profile goes to \"" + profiles_ + '"');
  }

  RunOptions bounds;
  bounds.memory_limit = options_.memory_limit;
  limit_ = BoundOfTree(machine, bounds);
  limit_is_given_ = limit_.bytes > 0;
  if (!limit_is_given_) {
    limit_.bytes = machine.memory_bytes - machine.memory_bytes / 16;
    limit_.name = "this machine's memory leaves";
  }
  const Machine used = FitToQuota(machine, {});
  const MemoryNeed need = EstimateMemory(bundle_);
  const auto automatic =
      Place(BoundMemory(used, bounds), {.workers = {}, .engines = {}, .need = need});
  candidates_ = ListCandidates(used, need, options_.objective, automatic.split);

  CONSORT_TRY(auto spool, MakeScratchFile(TemporaryPlace()));
  CONSORT_TRY(const auto list, SpoolOperands(options_.operands, std::move(spool)));
  for (const auto& warning : list->warnings()) progress_.Message("warning: " + warning);
  CONSORT_TRY(sample_, Sample::Take(*list));
  return Ok();
}

Result<MeasuredRun> Tuning::TryOne(const Candidate& candidate, double seconds, Signals& signals) {
  const double wanted = kSpareFactor * most_per_second_ * (seconds + kBeforeSeconds);
  const auto entries = std::clamp(static_cast<uint64_t>(wanted), least_entries_, kMostEntries);
  const std::string list = folder_->path() + "/list.txt";
  if (entries > entries_) {
    CONSORT_TRY(sample_->WriteList(list, entries));
    entries_ = entries;
  }
  const std::string place = folder_->path() + "/trial";
  std::error_code error;
  std::filesystem::remove_all(place, error);
  std::filesystem::create_directory(place, error);
  if (error) return SystemError("make a folder in", folder_->path(), error.value());
  progress_.Begin(SplitWords(candidate.split, candidate.intra), ++number_, LeftSeconds());
  const int64_t left_ns = static_cast<int64_t>(std::max(0.0, LeftSeconds()) * 1e9);
  auto run = Measure({.bundle = options_.bundle,
                      .split = candidate.split,
                      .intra = candidate.intra,
                      .seconds = seconds,
                      .list = list,
                      .folder = place,
                      .deadline_ns = MonotonicNs() + left_ns},
                     signals);
  if (run.kind == MeasuredRun::Kind::kMeasured) {
    most_per_second_ = std::max(most_per_second_, run.figures.per_second);
    progress_.End(ResultWords(run.figures));
  } else if (run.kind == MeasuredRun::Kind::kFailed) {
    progress_.End(run.error.what);
  } else {
    progress_.End("ended early");
  }
  return run;
}

Error Tuning::NothingCounted() const {
  return Error{"no trial counted " + std::to_string(kFewestSegments) + " segments within " +
                   DecimalWords(options_.seconds) + " s",
               "give more time with --seconds"};
}

Result<Tuning::Left> Tuning::WarmUp(Signals& signals) {
  const double seconds = std::clamp(0.02 * options_.seconds, 0.6, 2.0);
  for (int turn = 0; turn < kMostWarmUps; ++turn) {
    CONSORT_TRY(const auto run, TryOne(candidates_.front(), seconds, signals));
    if (run.kind == MeasuredRun::Kind::kInterrupted) return Left(SignalExitStatus(run.signal));
    if (run.kind == MeasuredRun::Kind::kOutOfTime) return NothingCounted();
    if (run.kind == MeasuredRun::Kind::kFailed) {
      return Error{"a trial with " + SplitWords(candidates_.front().split, 1) +
                   " failed: " + run.error.what};
    }
    CONSORT_TRY(const size_t left_out, sample_->LeaveOutFailures(run.results));
    if (left_out > 0) {
      progress_.Message("warning: " + Counted(static_cast<int64_t>(left_out), "file") +
                        " of the sample gave only errors, and " + (left_out == 1 ? "is" : "are") +
                        " left out");
      entries_ = 0;  // the list is written anew
    }
    // Again, if the list was too short, or of files that failed.
    const bool ran_out = !run.figures.complete && least_entries_ < kMostEntries;
    if (ran_out) LengthenList();
    if (left_out == 0 && !ran_out) break;
  }
  return Left();
}

Result<Tuning::Left> Tuning::SearchOn(Signals& signals) {
  search_.emplace(candidates_, SearchSettings{.objective = options_.objective,
                                              .memory_limit = limit_.bytes,
                                              .must_know_peak = limit_is_given_,
                                              .budget_s = LeftSeconds()});
  while (const auto trial = search_->Next()) {
    const Candidate& candidate = candidates_[trial->candidate];
    CONSORT_TRY(const auto run, TryOne(candidate, trial->seconds, signals));
    if (run.kind == MeasuredRun::Kind::kInterrupted) return Left(SignalExitStatus(run.signal));
    if (run.kind == MeasuredRun::Kind::kOutOfTime) {
      cut_off_ = true;
      break;
    }
    const TrialFigures& figures = run.figures;
    Observation seen{.per_second = figures.per_second,
                     .spread = figures.spread,
                     .p95_ms = figures.p95_ms,
                     .peak_bytes = figures.peak_bytes,
                     .took_s = run.took_s};
    if (run.kind == MeasuredRun::Kind::kFailed) {
      seen.kind = Observation::Kind::kFailed;
      last_failure_ = SplitWords(candidate.split, candidate.intra) + ": " + run.error.what;
    } else if (IsTooLittle(figures, trial->seconds)) {
      seen.kind = Observation::Kind::kTooFew;
      if (!figures.complete) LengthenList();
    } else {
      trials_.push_back(
          {.split = {candidate.split.workers, candidate.split.engines, candidate.intra},
           .round = trial->round,
           .seconds = figures.seconds,
           .took_s = run.took_s,
           .per_second = figures.per_second,
           .spread = figures.spread,
           .p95_ms = figures.p95_ms,
           .peak_pss_bytes = figures.peak_bytes});
    }
    search_->Add(*trial, seen);
  }
  return Left();
}

Result<int> Tuning::Conclude() {
  TuneReport report{.bundle = options_.bundle,
                    .objective = options_.objective,
                    .memory_limit = options_.memory_limit,
                    .limit_words = limit_.name,
                    .candidates = &candidates_,
                    .decision = search_->Decide(),
                    .asked_s = options_.seconds};
  if (cut_off_) report.decision.out_of_budget = true;
  if (!report.decision.chosen) {
    const bool too_large = std::ranges::any_of(
        report.decision.tried, [](const Tried& it) { return !it.fits && it.peak_bytes > 0; });
    if (too_large) return NothingChosen(report);
    if (!last_failure_.empty()) return Error{"no split runs here; the last: " + last_failure_};
    return NothingCounted();
  }
  const Tried& chosen = report.decision.tried.front();
  const Candidate& candidate = candidates_[chosen.candidate];
  const TunedProfile profile{
      .key = key_,
      .bundle = NamesOf(bundle_),
      .made = UtcNow(),
      .objective = ObjectiveName(options_.objective),
      .split = {candidate.split.workers, candidate.split.engines, candidate.intra},
      .memory_limit = options_.memory_limit.bytes,
      .peak_pss_bytes = chosen.peak_bytes,
      .per_second = chosen.per_second,
      .error = chosen.error,
      .sure = report.decision.sure,
      .trials = trials_};
  CONSORT_TRY(report.path, WriteProfile(profiles_, profile));
  report.seconds = Elapsed();
  const std::string text = options_.json ? JsonReport(report) : TextReport(report);
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0) return static_cast<int>(kDone);
  return Error{"could not write to standard output", "the profile is in \"" + report.path + '"'};
}

Result<int> Tuning::Run() {
  CONSORT_TRY(Prepare());
  AdoptOrphans();
  CONSORT_TRY(auto signals, Signals::Watch());
  CONSORT_TRY(auto folder, TemporaryFolder::Make());
  folder_.emplace(std::move(folder));
  CONSORT_TRY(auto left, WarmUp(signals));
  if (left) return *left;
  CONSORT_TRY(left, SearchOn(signals));
  if (left) return *left;
  if (const int number = signals.Take(); number != 0) return SignalExitStatus(number);
  return Conclude();
}

}  // namespace

int RunTune(const TuneOptions& options) {
  SetUpSignals();
  const auto ended = [&] {
    Tuning tuning(options);
    return tuning.Run();
  }();
  if (ended && ended.value() > 128) {
    std::fprintf(stderr, "consort: stopped; no profile was written\n");
  }
  if (ended) return ended.value();
  std::fprintf(stderr, "consort: %s\n", ended.error().Sentence().c_str());
  return kFailed;
}

}  // namespace consort
