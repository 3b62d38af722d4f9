#include "supervisor/export/export.h"

#include <memory>
#include <optional>

#include "shared/base/write_all.h"
#include "supervisor/export/output_file.h"
#include "supervisor/export/recording_folder.h"
#include "supervisor/export/recordings.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr uint64_t kLinesBetweenQuestions = 1000;

// Reads all lines, counts, and has each handled. False: it was asked to stop.
class Pass {
 public:
  Pass(ResultsReader& results, const StopAsked& stop) : results_(results), stop_(stop) {}

  // Each(line, begins): `begins` at a recording's first line.
  template <typename Each>
  Result<bool> Run(Each&& each) {
    ResultLine line;
    for (uint64_t n = 0;; ++n) {
      if (n % kLinesBetweenQuestions == 0 && stop_) tally_.stopped_by = stop_();
      if (tally_.stopped_by != 0) return false;
      CONSORT_TRY(const bool more, results_.Next(line));
      if (!more) return true;
      const bool begins = recordings_.Begins(line);
      Count(line, begins);
      CONSORT_TRY(each(line, begins));
    }
  }

  const ExportTally& tally() const { return tally_; }
  // Of the recording at hand.
  bool is_first_interval() const { return first_interval_; }

 private:
  void Count(const ResultLine& line, bool begins) {
    if (begins) any_interval_ = failed_ = false;
    first_interval_ = false;
    if (line.kind != ResultLine::Kind::kError) {
      ++tally_.intervals;
      if (any_interval_) return;
      first_interval_ = any_interval_ = true;
      ++tally_.recordings;
      if (failed_) --tally_.without;
    } else if (!failed_) {
      failed_ = true;
      ++tally_.failed;
      if (!any_interval_) ++tally_.without;
    }
  }

  ResultsReader& results_;
  const StopAsked& stop_;
  Recordings recordings_;
  ExportTally tally_;
  bool any_interval_ = false;
  bool first_interval_ = false;
  bool failed_ = false;
};

void Append(FormatWriter& writer, std::string& out, const ResultLine& line, bool first_interval) {
  if (line.kind == ResultLine::Kind::kError) {
    writer.AddError(out, line);
    return;
  }
  if (first_interval) writer.BeginRecording(out, line.file);
  writer.Add(out, line);
}

struct Joined {
  std::unique_ptr<FormatWriter> writer;
  OutputFile file;
};

// The file of the recording at hand.
struct Apart {
  std::unique_ptr<FormatWriter> writer;
  RecordingFolder::File file;
  std::string pending;

  Status Flush(size_t beyond) {
    if (pending.size() <= beyond) return Ok();
    CONSORT_TRY(WriteAll(file.fd.get(), pending, file.path));
    pending.clear();
    return Ok();
  }
};

constexpr size_t kManyBytes = 256 * 1024;

}  // namespace

Result<ExportTally> ExportTogether(ResultsReader& results, const std::vector<ExportTarget>& targets,
                                   const StopAsked& stop, const InPlace& in_place) {
  std::vector<Joined> outputs;
  for (const auto& target : targets) {
    CONSORT_TRY(auto file, OutputFile::Create(target.path));
    outputs.push_back({target.format->make(Scope::kJob), std::move(file)});
    outputs.back().writer->Begin(outputs.back().file.pending());
  }
  Pass pass(results, stop);
  const auto each = [&](const ResultLine& line, bool /*begins*/) -> Status {
    for (auto& it : outputs) {
      Append(*it.writer, it.file.pending(), line, pass.is_first_interval());
      CONSORT_TRY(it.file.Flush());
    }
    return Ok();
  };
  CONSORT_TRY(const bool whole, pass.Run(each));
  if (!whole) return pass.tally();
  for (auto& it : outputs) CONSORT_TRY(it.file.Finish());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Status put = outputs[i].file.PutInPlace();
    if (in_place && outputs[i].file.is_in_place()) in_place(targets[i]);
    CONSORT_TRY(put);
  }
  return pass.tally();
}

Result<ExportTally> ExportApart(ResultsReader& results, const ExportTarget& target,
                                const StopAsked& stop) {
  CONSORT_TRY(auto folder, RecordingFolder::Create(target.path));
  std::optional<Apart> open;
  Pass pass(results, stop);
  const auto each = [&](const ResultLine& line, bool begins) -> Status {
    if (begins) {
      if (open) CONSORT_TRY(open->Flush(0));
      open.reset();
    }
    if (!open) {
      if (line.kind == ResultLine::Kind::kError && !target.format->tells_errors) return Ok();
      CONSORT_TRY(auto file, folder.Make(line.file, target.format->extension));
      open.emplace(Apart{target.format->make(Scope::kRecording), std::move(file), {}});
      open->writer->Begin(open->pending);
    }
    Append(*open->writer, open->pending, line, pass.is_first_interval());
    return open->Flush(kManyBytes);
  };
  CONSORT_TRY(const bool whole, pass.Run(each));
  if (!whole) return pass.tally();
  if (open) CONSORT_TRY(open->Flush(0));
  CONSORT_TRY(folder.PutInPlace());
  return pass.tally();
}

std::string SeveralInOne(const Format& format) {
  return "each recording's times in the " + std::string(format.name) +
         " file count from its own beginning; \"consort export --per-recording\" makes a file of "
         "each";
}

std::string WordsOnFailures(const ExportTally& tally, bool told_in_file) {
  if (tally.failed == 0) return "";
  std::string words = "; " + Counted(static_cast<int64_t>(tally.failed), "recording") + " failed";
  if (told_in_file) return words + ", the error is told";
  if (tally.without == 0) return words + ", what came before is there";
  if (tally.without == tally.failed) {
    return words + (tally.failed == 1 ? ", nothing of it is there" : ", nothing of them is there");
  }
  return words + ", of " + std::to_string(tally.without) + " nothing is there";
}

}  // namespace consort
