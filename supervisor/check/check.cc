#include "supervisor/check/check.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "shared/base/folder.h"
#include "shared/base/same_file.h"
#include "shared/base/write_all.h"
#include "shared/bundle/built_for.h"
#include "shared/bundle/bundle.h"
#include "shared/bundle/check_bundle.h"
#include "supervisor/check/check_sink.h"
#include "supervisor/check/check_totals.h"
#include "supervisor/check/check_words.h"
#include "supervisor/cli/exit_status.h"
#include "supervisor/cli/version.h"
#include "supervisor/export/output_file.h"
#include "supervisor/job/job_loop.h"
#include "supervisor/job/make_fleet.h"
#include "supervisor/job/progress_style.h"
#include "supervisor/job/signals.h"
#include "supervisor/plan/operands.h"
#include "supervisor/profile/profile_folder.h"
#include "supervisor/view/status_line.h"

namespace consort {
namespace {

// For a file's own sake any would do: all rates can be resampled to it.
constexpr int32_t kAnyRate = 16'000;

// What is to be written must not be what is to be read.
Status CheckWritable(const std::string& path, const char* option, const CheckOptions& options) {
  if (path.empty() || path == "-") return Ok();
  const Error other{'"' + path + "\" is named like a recording",
                    std::string("name another file with ") + option};
  if (HasAudioExtension(path)) return other;
  for (const auto& operand : options.operands) {
    if (operand != "-" && SameFile(operand, path)) {
      return Error{'"' + path + "\" is to be read, so it cannot be written",
                   std::string("name another file with ") + option};
    }
  }
  return OutputFile::Check(path, option);
}

// Segments a second that `consort tune` measured on this machine.
Result<std::optional<double>> MeasuredRate(const Bundle& bundle, const Machine& machine) {
  CONSORT_TRY(const auto cpu, ReadCpuIdentity());
  const ProfileKey key{.consort = kVersion,
                       .cpu = cpu.model,
                       .usable_cpus = machine.usable_cpus,
                       .bundle_sha256 = bundle.sha256};
  const auto found = FindProfile(ProfileFolder(), key, NamesOf(bundle));
  if (!found.profile || !(found.profile->per_second > 0)) return std::optional<double>();
  return std::optional(found.profile->per_second);
}

class Check {
 public:
  explicit Check(const CheckOptions& options) : options_(options) {}

  // The exit status.
  Result<int> Run() {
    CONSORT_TRY(CheckOperands(options_.operands));
    CONSORT_TRY(CheckWritable(options_.failed, "--failed", options_));
    CONSORT_TRY(CheckWritable(options_.json, "--json", options_));
    CONSORT_TRY(auto fleets, FleetMaker::Look());
    CONSORT_TRY(TakeBundle(fleets.machine()));
    progress_ = MakeProgress(StyleOf(options_.quiet, options_.progress, false));
    CONSORT_TRY(auto spool, MakeScratchFile(TemporaryPlace()));
    CONSORT_TRY(const auto list, SpoolOperands(options_.operands, std::move(spool)));
    for (const auto& warning : list->warnings()) progress_->Message("warning: " + warning);
    setting_.listed = list->size();
    setting_.failed = options_.failed;
    totals_.emplace(setting_.segment_ns, setting_.hop_ns, setting_.each_channel);
    CONSORT_TRY(OpenFiles());
    int status = kDone;
    if (list->size() > 0) {
      CONSORT_TRY(status, OpenAll(*list, fleets));
    } else {
      progress_->Message("warning: there are no files, so there is nothing to do");
    }
    CONSORT_TRY(Tell());
    return status;
  }

 private:
  Status TakeBundle(const Machine& machine) {
    if (options_.bundle.empty()) return Ok();
    CONSORT_TRY(const Bundle bundle, LoadBundle(options_.bundle));
    rate_ = bundle.manifest.audio.sample_rate;
    setting_.bundle = options_.bundle;
    setting_.segment_ns = bundle.manifest.audio.segment_ns;
    setting_.hop_ns = bundle.manifest.audio.hop_ns;
    setting_.each_channel = bundle.manifest.audio.each_channel();
    CONSORT_TRY(setting_.per_second, MeasuredRate(bundle, machine));
    return Ok();
  }

  Status OpenFiles() {
    if (!options_.failed.empty()) {
      CONSORT_TRY(auto file, OutputFile::Create(options_.failed));
      failed_.emplace(std::move(file));
      std::error_code error;
      here_ = std::filesystem::current_path(error).string() + '/';
      if (error) return Error{"could not find out the current folder: " + error.message()};
    }
    if (!options_.json.empty()) {
      CONSORT_TRY(auto file, OutputFile::Create(options_.json));
      json_.emplace(std::move(file));
      json_->pending() += CheckJsonBegin(setting_);
    }
    return Ok();
  }

  Result<int> OpenAll(FileList& list, FleetMaker& fleets) {
    RunOptions run;
    run.workers = options_.workers.value_or(fleets.machine().usable_cpus);
    run.engines = 1;
    run.quiet = options_.quiet;
    run.operands = options_.operands;
    const Bundle bundle = CheckBundle(rate_);
    CONSORT_TRY(auto fleet, fleets.Make(run, bundle, [this](const std::string& warning) {
      progress_->Message("warning: " + warning);
    }));
    CONSORT_TRY(auto scratch, MakeScratchFile(TemporaryPlace()));
    CheckSink sink(
        ScratchFile(std::move(scratch)), [this](const CheckedFile& file) { return Each(file); },
        setting_.each_channel);
    JobLoop loop(run, bundle, list, sink, *progress_);
    const Result<int> ended = loop.Run(std::move(fleet));
    progress_->Finish(loop.View());
    return ended;
  }

  Status Each(const CheckedFile& file) {
    const bool first = totals_->files() == 0;
    totals_->Add(file);
    if (json_) {
      AppendCheckJson(json_->pending(), file, first);
      CONSORT_TRY(json_->Flush());
    }
    if (failed_ && file.code && file.path.find('\n') != std::string::npos) {
      ++setting_.unlisted;
    } else if (failed_ && file.code) {
      // A list's relative paths count from its own folder, wherever that will be.
      failed_->pending() += (file.path.starts_with('/') ? "" : here_) + file.path + '\n';
      CONSORT_TRY(failed_->Flush());
    }
    return Ok();
  }

  Status Tell() {
    if (setting_.unlisted > 0) {
      progress_->Message("warning: " + std::to_string(setting_.unlisted) +
                         " of the files that would fail"
                         " have a line feed in their names, and so no place in \"" +
                         options_.failed + '"');
    }
    if (failed_) {
      CONSORT_TRY(failed_->Finish());
      CONSORT_TRY(failed_->PutInPlace());
    }
    if (json_) {
      json_->pending() += CheckJsonEnd(*totals_, setting_);
      CONSORT_TRY(json_->Finish());
      CONSORT_TRY(json_->PutInPlace());
    }
    if (options_.json == "-") return Ok();
    return WriteAll(STDOUT_FILENO, CheckReportText(*totals_, setting_), "the report");
  }

  const CheckOptions& options_;
  int32_t rate_ = kAnyRate;
  CheckSetting setting_;
  std::unique_ptr<Progress> progress_;
  std::optional<CheckTotals> totals_;
  std::optional<OutputFile> failed_;
  std::optional<OutputFile> json_;
  std::string here_;  // the current folder, with its "/"
};

}  // namespace

int RunCheck(const CheckOptions& options) {
  SetUpSignals();
  const Result<int> ended = Check(options).Run();
  if (ended) return ended.value();
  std::fprintf(stderr, "consort: %s\n", ended.error().Sentence().c_str());
  return kFailed;
}

}  // namespace consort
