#include "supervisor/export/export.h"

#include <memory>
#include <optional>

#include "shared/base/write_all.h"
#include "supervisor/export/output_file.h"
#include "supervisor/export/recording_folder.h"
#include "supervisor/export/recordings.h"
#include "supervisor/formats/merge_detections.h"
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
  ExportTally Tally(uint64_t merged) const {
    ExportTally tally = tally_;
    tally.merged = merged;
    return tally;
  }
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

void Append(FormatWriter& writer, std::string& out, const ResultLine& line) {
  if (line.kind == ResultLine::Kind::kError) {
    writer.AddError(out, line);
  } else {
    writer.Add(out, line);
  }
}

// From lines of the results to those that writers get.
class Lines {
 public:
  Lines(bool merge, const DetectionMerger::Emit& emit) : emit_(emit) {
    if (merge) merger_.emplace(emit);
  }

  void Add(const ResultLine& line) {
    if (merger_) {
      merger_->Add(line);
    } else {
      emit_(line);
    }
  }
  // Before another recording begins, and at the end.
  void EndRecording() {
    if (merger_) merger_->End();
  }
  uint64_t merged() const { return merger_ ? merger_->merged() : 0; }

 private:
  const DetectionMerger::Emit emit_;
  std::optional<DetectionMerger> merger_;
};

struct Joined {
  std::unique_ptr<FormatWriter> writer;
  OutputFile file;
};

// A file of the recording at hand.
struct Apart {
  std::unique_ptr<FormatWriter> writer;
  RecordingFolder::File file;
  std::string pending = {};

  Status Finish() {
    writer->End(pending);
    return Flush(0);
  }
  Status Flush(size_t beyond) {
    if (pending.size() <= beyond) return Ok();
    CONSORT_TRY(WriteAll(file.fd.get(), pending, file.path));
    pending.clear();
    return Ok();
  }
};

}  // namespace

Result<ExportTally> ExportTogether(ResultsReader& results, const std::vector<ExportTarget>& targets,
                                   const ExportManner& manner, const InPlace& in_place) {
  std::vector<Joined> outputs;
  for (const auto& target : targets) {
    CONSORT_TRY(auto file, OutputFile::Create(target.path));
    outputs.push_back({target.format->make(Scope::kJob), std::move(file)});
    outputs.back().writer->Begin(outputs.back().file.pending());
  }
  Lines lines(manner.merge_detections, [&outputs](const ResultLine& line) {
    for (auto& it : outputs) Append(*it.writer, it.file.pending(), line);
  });
  Pass pass(results, manner.stop);
  const auto each = [&](const ResultLine& line, bool begins) -> Status {
    if (begins) lines.EndRecording();
    if (pass.is_first_interval()) {
      for (auto& it : outputs) it.writer->BeginRecording(it.file.pending(), line.file);
    }
    lines.Add(line);
    for (auto& it : outputs) CONSORT_TRY(it.file.Flush());
    return Ok();
  };
  CONSORT_TRY(const bool whole, pass.Run(each));
  if (!whole) return pass.tally();
  lines.EndRecording();
  for (auto& it : outputs) {
    it.writer->End(it.file.pending());
    CONSORT_TRY(it.file.Finish());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Status put = outputs[i].file.PutInPlace();
    if (in_place && outputs[i].file.is_in_place()) in_place(targets[i]);
    CONSORT_TRY(put);
  }
  return pass.Tally(lines.merged());
}

Result<ExportTally> ExportApart(ResultsReader& results, const std::vector<const Format*>& formats,
                                const std::string& path, const ExportManner& manner) {
  CONSORT_TRY(auto folder, RecordingFolder::Create(path));
  std::vector<std::optional<Apart>> outputs(formats.size());
  Lines lines(manner.merge_detections, [&outputs](const ResultLine& line) {
    for (auto& it : outputs) {
      if (it) Append(*it->writer, it->pending, line);
    }
  });
  const auto close = [&]() -> Status {
    lines.EndRecording();
    for (auto& it : outputs) {
      if (it) CONSORT_TRY(it->Finish());
      it.reset();
    }
    return Ok();
  };
  Pass pass(results, manner.stop);
  const auto each = [&](const ResultLine& line, bool begins) -> Status {
    if (begins) CONSORT_TRY(close());
    for (size_t i = 0; i < formats.size(); ++i) {
      auto& it = outputs[i];
      if (!it) {
        if (line.kind == ResultLine::Kind::kError && !formats[i]->tells_errors) continue;
        CONSORT_TRY(auto file, folder.Make(line.file, formats[i]->extension));
        it.emplace(Apart{formats[i]->make(Scope::kRecording), std::move(file)});
        it->writer->Begin(it->pending);
      }
      if (pass.is_first_interval()) it->writer->BeginRecording(it->pending, line.file);
    }
    lines.Add(line);
    for (auto& it : outputs) {
      if (it) CONSORT_TRY(it->Flush(OutputFile::kFlushBytes));
    }
    return Ok();
  };
  CONSORT_TRY(const bool whole, pass.Run(each));
  if (!whole) return pass.tally();
  CONSORT_TRY(close());
  CONSORT_TRY(folder.PutInPlace());
  return pass.Tally(lines.merged());
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
