#include "supervisor/job/recorder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "supervisor/join/piece.h"
#include "supervisor/output/quarantine_line.h"
#include "supervisor/view/wall_clock.h"

namespace consort {
namespace {

constexpr size_t kFlushBytes = 256 * 1024;
// What a journal is kept waiting with: some megabytes.
constexpr size_t kMostAheadBytes = 4 * 1024 * 1024;
constexpr size_t kMostEndedFiles = 16 * 1024;
// A line's own size in memory, beside its text.
constexpr size_t kLineBytes = 64;

}  // namespace

Recorder::Recorder(const Bundle& bundle, ResultFile file, ScratchFile scratch)
    : format_(bundle.labels),
      joins_(bundle.manifest.output.kind != OutputSpec::Kind::kTags),
      each_channel_(bundle.manifest.audio.each_channel()),
      file_(std::move(file)),
      gather_([this](std::string_view line) { return Write(line); }, std::move(scratch)) {
  gather_.StopWhile([this] { return congested(); });
  gather_.JoinWith(MakeLineJoiner(bundle.manifest, bundle.labels),
                   MakeLineJoiner(bundle.manifest, bundle.labels));
}

void Recorder::KeepForJournal(bool lines) {
  keep_ended_ = true;
  keep_lines_ = lines;
}

Status Recorder::Resume(Journal& journal, const ResumePoint& point) {
  CONSORT_TRY(failed_, journal.ReadFailed());
  for (const auto& [code, count] : failed_) files_failed_ += count;
  for (const auto& file : point.open) {
    if (!file.crash_line.empty()) crash_lines_[file.info.file] = file.crash_line;
  }
  const auto& totals = journal.totals();
  CONSORT_TRY(gather_.StartAt(totals.head, totals.head_segment, totals.head_bytes, totals.joiner));
  return journal.ReadAhead(
      [this](const AheadRow& row) -> Status {
        std::string_view text = row.text;
        for (uint64_t i = 0; i < row.count; ++i) {
          const size_t size = text.find('\n') + 1;
          if (size == 0) {
            return Error{"the journal lacks the line of segment " + std::to_string(row.first + i) +
                             " of file " + std::to_string(row.file + 1) +
                             " of the list, which it says it has",
                         kBeginAnew};
          }
          CONSORT_TRY(gather_.Add(row.file, row.first + i, text.substr(0, size)));
          text.remove_prefix(size);
        }
        return Ok();
      },
      [this](const FileRow& row) {
        return gather_.Finish(row.file, row.segments, row.tail ? row.error : "");
      });
}

Status Recorder::OnlyThese(const std::vector<FileRow>& rows, uint64_t entries) {
  uint64_t next = 0;
  for (const auto& row : rows) {
    if (row.file > next) CONSORT_TRY(gather_.Skip(next, row.file));
    next = row.file + 1;
  }
  return next < entries ? gather_.Skip(next, entries) : Ok();
}

// line_ is that segment's.
Status Recorder::Add(uint64_t file, uint64_t segment) {
  CONSORT_TRY(gather_.Add(file, segment, line_));
  if (!keep_lines_ || file < gather_.files_written() ||
      (file == gather_.files_written() && segment < gather_.head_next())) {
    return Ok();
  }
  ahead_.push_back({file, segment, line_});
  ahead_bytes_ += line_.size() + kLineBytes;
  return Ok();
}

void Recorder::DropWritten() {
  std::erase_if(ahead_, [this](const AheadLine& line) {
    const bool written =
        line.file < gather_.files_written() ||
        (line.file == gather_.files_written() && line.segment < gather_.head_next());
    if (written) ahead_bytes_ -= line.text.size() + kLineBytes;
    return written;
  });
}

bool Recorder::journal_is_due() {
  if (ended_.size() >= kMostEndedFiles) return true;
  if (ahead_bytes_ < kMostAheadBytes) return false;
  DropWritten();  // most of it, where nothing holds up the head
  return ahead_bytes_ >= kMostAheadBytes / 2;
}

// Consecutive segments as one row.
std::vector<AheadRow> Recorder::Ahead() {
  DropWritten();
  std::sort(ahead_.begin(), ahead_.end(), [](const AheadLine& a, const AheadLine& b) {
    return a.file != b.file ? a.file < b.file : a.segment < b.segment;
  });
  runs_.clear();
  runs_.reserve(ahead_bytes_);  // views point into it
  std::vector<AheadRow> rows;
  for (const auto& line : ahead_) {
    const size_t at = runs_.size();
    runs_ += line.text;
    if (!rows.empty() && rows.back().file == line.file &&
        rows.back().first + rows.back().count == line.segment) {
      ++rows.back().count;
      rows.back().text = {rows.back().text.data(), rows.back().text.size() + line.text.size()};
    } else {
      rows.push_back({line.file, line.segment, 1, {runs_.data() + at, line.text.size()}});
    }
  }
  return rows;
}

const std::string& Recorder::crash_line(uint64_t file) const {
  static const std::string kNone;
  const auto found = crash_lines_.find(file);
  return found == crash_lines_.end() ? kNone : found->second;
}

void Recorder::Taken() {
  ended_.clear();
  quarantined_.clear();
  ahead_.clear();
  ahead_bytes_ = 0;
  if (runs_.capacity() > kMostAheadBytes) std::string().swap(runs_);
}

FileInfo Recorder::Kept(const FileInfo& info) const {
  FileInfo kept = info;
  if (!each_channel_) kept.channels = 0;
  return kept;
}

int64_t Recorder::ChannelOf(const OpenFile& file, uint64_t segment) const {
  return each_channel_ ? file.grid->Channel(static_cast<int64_t>(segment)) + 1 : 0;
}

Status Recorder::SegmentDone(const OpenFile& file, const SegmentTags& tags) {
  line_.clear();
  const auto k = static_cast<int64_t>(tags.segment);
  format_.AppendTags(line_, file.name, ChannelOf(file, tags.segment), file.grid->StartMs(k),
                     file.grid->EndMs(k, file.info->samples), tags.tags);
  return Add(file.index, tags.segment);
}

Status Recorder::SegmentDone(const OpenFile& file, const SegmentRuns& runs) {
  line_.clear();
  AppendPiece(line_, runs, Kept(*file.info), file.name);
  return Add(file.index, runs.segment);
}

void Recorder::Quarantined(const OpenFile& file, uint64_t segment, const Verdict& verdict) {
  if (!keep_ended_) return;
  QuarantineEntry entry;
  entry.file = file.name;
  if (file.info) {
    const auto k = static_cast<int64_t>(segment);
    entry.place = {ChannelOf(file, segment), static_cast<uint64_t>(file.grid->Place(k)),
                   file.grid->StartMs(k), file.grid->Start(k)};
  }
  entry.stage = verdict.stage;
  entry.signal = last_death_.signal;
  entry.exit_code = last_death_.exit_code;
  entry.deaths = verdict.deaths;
  entry.message = verdict.message;
  entry.log = last_death_.log;
  entry.time = UtcNow();
  quarantined_.push_back({file.index, segment, QuarantineLine(entry)});
}

Status Recorder::SegmentCrashed(const OpenFile& file, uint64_t segment,
                                const std::string& message) {
  line_.clear();
  format_.AppendError(line_, file.name, ChannelOf(file, segment), ErrorCode::kCrashed, message,
                      file.grid->StartMs(static_cast<int64_t>(segment)));
  if (keep_ended_) crash_lines_[file.index] = line_;
  if (joins_) {
    const std::string error = std::exchange(line_, {});
    AppendErrorPiece(line_, segment, Kept(*file.info).channels, error);
  }
  return Add(file.index, segment);
}

Status Recorder::FileDone(const OpenFile& file) {
  line_.clear();
  std::optional<ErrorCode> reason;
  if (!file.crashed.empty()) reason = ErrorCode::kCrashed;
  if (file.fault) {
    reason = ToErrorCode(file.fault->code).value_or(ErrorCode::kDecode);
    std::optional<int64_t> at_ms;
    if (file.grid && file.fault->at_sample >= 0) {
      at_ms = file.grid->SampleToMs(file.fault->at_sample);
    } else if (file.grid) {
      at_ms = file.grid->StartMs(static_cast<int64_t>(file.fault->segment));
    }
    format_.AppendError(line_, file.name, 0, *reason, file.fault->message, at_ms);
  }
  if (reason) {
    ++failed_[*reason];
    ++files_failed_;
  }
  CONSORT_TRY(gather_.Finish(file.index, file.last(), line_));
  if (!keep_ended_) return Ok();
  FileRow row;
  row.file = file.index;
  if (file.info) {
    row.size = file.info->size_bytes;
    row.mtime_ns = file.info->mtime_ns;
    row.samples = file.info->samples;
    row.rate = file.info->sample_rate;
    row.alignment = file.info->segment_alignment;
    row.channels = Kept(*file.info).channels;
  }
  row.segments = file.last();
  row.bytes = gather_.finished_bytes();
  if (reason) row.code = static_cast<uint32_t>(*reason);
  row.tail = !line_.empty();
  row.error = row.tail ? line_ : crash_line(file.index);
  crash_lines_.erase(file.index);
  ended_.push_back(std::move(row));
  return Ok();
}

Status Recorder::Write(std::string_view line) {
  pending_ += line;
  return pending_.size() >= kFlushBytes ? WritePending() : Ok();
}

Status Recorder::Flush() {
  CONSORT_TRY(WritePending());
  while (gather_.waits() && !congested()) {
    CONSORT_TRY(gather_.GoOn());
    CONSORT_TRY(WritePending());
  }
  return Ok();
}

Status Recorder::WritePending() {
  if (pending_.empty()) return Ok();
  CONSORT_TRY(const size_t written, file_.WriteSome(pending_));
  pending_.erase(0, written);
  blocked_ = !pending_.empty();
  return Ok();
}

}  // namespace consort
