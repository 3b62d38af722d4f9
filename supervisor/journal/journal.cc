#include "supervisor/journal/journal.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "shared/base/folder.h"
#include "supervisor/journal/file_system.h"
#include "supervisor/journal/job_status.h"
#include "supervisor/journal/schema.h"

namespace consort {
namespace {

constexpr size_t kStagesText = sizeof(JobTotals::stage_ns);

}  // namespace

const char* const kFileColumns =
    "file, size, mtime_ns, samples, rate, alignment, segments, bytes, code, error, tail";

FileRow ReadFileRow(const Statement& row) {
  FileRow file;
  file.file = row.Unsigned(0);
  file.size = row.Int(1);
  file.mtime_ns = row.Int(2);
  file.samples = row.Int(3);
  file.rate = static_cast<int32_t>(row.Int(4));
  file.alignment = static_cast<uint32_t>(row.Int(5));
  file.segments = row.Unsigned(6);
  file.bytes = row.Unsigned(7);
  if (!row.IsNull(8)) file.code = static_cast<uint32_t>(row.Int(8));
  file.error = row.Text(9);
  file.tail = row.Int(10) != 0;
  return file;
}

Result<std::unique_ptr<Journal>> Journal::Open(const std::string& path, bool* in_use) {
  CONSORT_TRY(auto database, Database::Open(path, Database::Mode::kReadWrite));
  std::unique_ptr<Journal> journal(new Journal(std::move(database), FolderOf(path)));
  const Status ready = journal->Prepare(path, in_use);
  if (!ready) {
    journal->database_.LeaveAsItIs();
    return ready.error();
  }
  return journal;
}

Status Journal::Prepare(const std::string& path, bool* in_use) {
  // Before the first access: a WAL index in shared memory does not work across a network.
  network_ = IsNetworkFileSystem(folder_);
  if (network_) {
    CONSORT_TRY(database_.Run("PRAGMA locking_mode=EXCLUSIVE"));
  }
  CONSORT_TRY(CheckSchema(database_, path, in_use));
  CONSORT_TRY(
      database_.Run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "PRAGMA cache_size=-4096; PRAGMA temp_store=MEMORY"));
  CONSORT_TRY(MakeSchema(database_));
  CONSORT_TRY(SyncFolder(folder_));
  CONSORT_TRY(ReadTotals());
  return begun_ ? RewriteQuarantine(database_, folder_) : Ok();
}

Status Journal::ReadTotals() {
  CONSORT_TRY(auto row, database_.Prepare(
                            "SELECT begun, switching, entries, bytes, head, head_segment, "
                            "head_bytes, files_done, segments, audio_seconds, elapsed_ns, stage_ns,"
                            " workers_crashed, workers_killed, templates_crashed, "
                            "templates_killed, idle_starts, anew, workers_replaced FROM job"));
  CONSORT_TRY(const bool any, row.Step());
  if (!any) return Ok();
  begun_ = row.Int(0) != 0;
  switching_ = row.Int(1) != 0;
  totals_.entries = row.Unsigned(2);
  totals_.bytes = row.Unsigned(3);
  totals_.head = row.Unsigned(4);
  totals_.head_segment = row.Unsigned(5);
  totals_.head_bytes = row.Unsigned(6);
  totals_.files_done = row.Unsigned(7);
  totals_.segments = row.Unsigned(8);
  totals_.audio_seconds = row.Real(9);
  totals_.elapsed_ns = row.Int(10);
  const auto stages = row.Text(11);
  if (stages.size() == kStagesText) {
    std::memcpy(totals_.stage_ns.data(), stages.data(), kStagesText);
  }
  for (int i = 0; i < 4; ++i) totals_.restarts[static_cast<size_t>(i)] = row.Unsigned(12 + i);
  totals_.idle_starts = row.Unsigned(16);
  anew_ = row.Int(17) != 0;
  totals_.workers_replaced = row.Unsigned(18);
  CONSORT_TRY(auto joiner, database_.Prepare("SELECT state FROM joiner"));
  CONSORT_TRY(const bool held_back, joiner.Step());
  if (held_back) totals_.joiner = joiner.Text(0);
  joiner_ = totals_.joiner;
  return Ok();
}

Status Journal::Transaction(const std::function<Status()>& body) {
  if (failed_) return *failed_;
  Status done = database_.Run("BEGIN IMMEDIATE");
  if (done) done = body();
  if (done) done = database_.Run("COMMIT");
  if (done) return done;
  failed_ = done.error();
  database_.LeaveAsItIs();
  return *failed_;
}

Result<std::vector<std::pair<std::string, std::string>>> Journal::ReadIdentity() {
  CONSORT_TRY(auto row, database_.Prepare("SELECT key, value FROM identity"));
  std::vector<std::pair<std::string, std::string>> identity;
  for (;;) {
    CONSORT_TRY(const bool any, row.Step());
    if (!any) return identity;
    identity.emplace_back(row.Text(0), row.Text(1));
  }
}

Result<std::map<ErrorCode, uint64_t>> Journal::ReadFailed() {
  CONSORT_TRY(auto row, database_.Prepare("SELECT code, COUNT(*) FROM files "
                                          "WHERE code IS NOT NULL GROUP BY code"));
  std::map<ErrorCode, uint64_t> failed;
  for (;;) {
    CONSORT_TRY(const bool any, row.Step());
    if (!any) return failed;
    if (const auto code = ToErrorCode(static_cast<uint32_t>(row.Int(0)))) {
      failed[*code] = row.Unsigned(1);
    }
  }
}

Result<std::map<uint64_t, std::vector<uint64_t>>> Journal::ReadQuarantined() {
  CONSORT_TRY(auto row, database_.Prepare("SELECT file, segment FROM quarantine"));
  std::map<uint64_t, std::vector<uint64_t>> segments;
  for (;;) {
    CONSORT_TRY(const bool any, row.Step());
    if (!any) return segments;
    segments[row.Unsigned(0)].push_back(row.Unsigned(1));
  }
}

Result<std::map<uint64_t, int32_t>> Journal::ReadChannels() {
  CONSORT_TRY(auto row, database_.Prepare("SELECT file, channels FROM channels WHERE file IN "
                                          "(SELECT file FROM files WHERE code IS NOT NULL)"));
  std::map<uint64_t, int32_t> channels;
  for (;;) {
    CONSORT_TRY(const bool any, row.Step());
    if (!any) return channels;
    channels[row.Unsigned(0)] = static_cast<int32_t>(row.Int(1));
  }
}

Status Journal::ReadFiles(bool only_failed, const std::function<Status(const FileRow&)>& each) {
  const std::string sql = std::string("SELECT ") + kFileColumns + " FROM files" +
                          (only_failed ? " WHERE code IS NOT NULL" : "") + " ORDER BY file";
  CONSORT_TRY(auto row, database_.Prepare(sql.c_str()));
  for (;;) {
    CONSORT_TRY(const bool any, row.Step());
    if (!any) return Ok();
    CONSORT_TRY(each(ReadFileRow(row)));
  }
}

Status Journal::ReadAhead(const std::function<Status(const AheadRow&)>& lines,
                          const std::function<Status(const FileRow&)>& end) {
  CONSORT_TRY(auto ahead, database_.Prepare("SELECT file, first, count, text FROM ahead "
                                            "ORDER BY file, first"));
  const std::string sql =
      std::string("SELECT ") + kFileColumns + " FROM files WHERE file >= ? ORDER BY file";
  CONSORT_TRY(auto ended, database_.Prepare(sql.c_str()));
  ended.With(totals_.head);
  CONSORT_TRY(bool has_lines, ahead.Step());
  CONSORT_TRY(bool has_end, ended.Step());
  while (has_lines || has_end) {
    if (has_lines && (!has_end || ahead.Unsigned(0) <= ended.Unsigned(0))) {
      AheadRow row{ahead.Unsigned(0), ahead.Unsigned(1), ahead.Unsigned(2), ahead.Text(3)};
      // What has been written since its row was made does not count any more.
      if (row.file == totals_.head && row.first < totals_.head_segment) {
        const uint64_t written = std::min(row.count, totals_.head_segment - row.first);
        for (uint64_t i = 0; i < written; ++i) row.text.remove_prefix(row.text.find('\n') + 1);
        row.first += written;
        row.count -= written;
      }
      if (row.file >= totals_.head && row.count > 0) CONSORT_TRY(lines(row));
      CONSORT_TRY(has_lines, ahead.Step());
    } else {
      CONSORT_TRY(end(ReadFileRow(ended)));
      CONSORT_TRY(has_end, ended.Step());
    }
  }
  return Ok();
}

Result<ResumePoint> Journal::ReadResumePoint(bool suspect_in_hand) {
  ResumePoint point;
  point.segments = totals_.segments;
  point.audio_seconds = totals_.audio_seconds;
  point.stage_ns = totals_.stage_ns;
  point.done.AddRange(0, totals_.head);
  CONSORT_TRY(auto done, database_.Prepare("SELECT file FROM files WHERE file >= ?"));
  done.With(totals_.head);
  for (;;) {
    CONSORT_TRY(const bool any, done.Step());
    if (!any) break;
    point.done.Add(done.Unsigned(0));
  }
  CONSORT_TRY(auto open, database_.Prepare("SELECT file, size, mtime_ns, samples, rate, alignment, "
                                           "crash_line, fault_segment, fault_sample, fault_code, "
                                           "fault_message, (SELECT channels FROM channels WHERE "
                                           "channels.file = open_files.file) "
                                           "FROM open_files ORDER BY file"));
  CONSORT_TRY(auto ranges, database_.Prepare("SELECT first, count FROM ahead WHERE file = ?"));
  CONSORT_TRY(auto crashed, database_.Prepare("SELECT segment FROM quarantine WHERE file = ?"));
  for (;;) {
    CONSORT_TRY(const bool any, open.Step());
    if (!any) break;
    ResumeFile file;
    const uint64_t index = open.Unsigned(0);
    file.info.file = index;
    file.info.size_bytes = open.Int(1);
    file.info.mtime_ns = open.Int(2);
    file.info.samples = open.Int(3);
    file.info.sample_rate = static_cast<int32_t>(open.Int(4));
    file.info.segment_alignment = static_cast<uint32_t>(open.Int(5));
    if (!open.IsNull(11)) file.info.channels = static_cast<int32_t>(open.Int(11));
    file.crash_line = open.Text(6);
    if (!open.IsNull(7)) {
      file.fault = FileFault{index, open.Unsigned(7), open.Int(8),
                             static_cast<uint32_t>(open.Int(9)), std::string(open.Text(10))};
    }
    if (index == totals_.head) file.accounted.AddRange(0, totals_.head_segment);
    ranges.With(index);
    for (;;) {
      CONSORT_TRY(const bool more, ranges.Step());
      if (!more) break;
      file.accounted.AddRange(ranges.Unsigned(0), ranges.Unsigned(0) + ranges.Unsigned(1));
    }
    crashed.With(index);
    for (;;) {
      CONSORT_TRY(const bool more, crashed.Step());
      if (!more) break;
      file.crashed.insert(crashed.Unsigned(0));
    }
    point.open.push_back(std::move(file));
  }
  // What engines were at is tried one by one: what ends a supervisor may end it with any company.
  CONSORT_TRY(
      auto suspects,
      database_.Prepare(
          suspect_in_hand ? "SELECT file, segment, MAX(deaths), MAX(together) FROM (SELECT * FROM "
                            "suspects UNION ALL SELECT file, segment, 0, -rowid FROM in_hand) "
                            "GROUP BY file, segment"
                          : "SELECT file, segment, deaths, together FROM suspects "
                            "ORDER BY rowid"));
  for (;;) {
    CONSORT_TRY(const bool any, suspects.Step());
    if (!any) return point;
    point.suspects.push_back({suspects.Unsigned(0), suspects.Unsigned(1),
                              static_cast<int>(suspects.Int(2)), suspects.Int(3)});
  }
}

Status Journal::Clear(bool anew) {
  return Transaction([this, anew]() -> Status {
    begun_ = switching_ = false;
    anew_ = anew;
    totals_ = {};
    CONSORT_TRY(database_.Run(
        "DELETE FROM job; DELETE FROM identity; DELETE FROM files; DELETE FROM open_files;"
        "DELETE FROM ahead; DELETE FROM suspects; DELETE FROM in_hand; DELETE FROM files_next;"
        "DELETE FROM totals_next; DELETE FROM quarantine; DELETE FROM quarantine_next;"
        "DELETE FROM channels"));
    return WriteTotals(totals_);
  });
}

Status Journal::Begin(const Identity& identity, uint64_t entries) {
  totals_ = {};
  CONSORT_TRY(RewriteQuarantine(database_, folder_));
  return GoOn(identity, entries);
}

Status Journal::GoOn(const Identity& identity, uint64_t entries) {
  return Transaction([&]() -> Status {
    begun_ = true;
    totals_.entries = entries;
    ++totals_.idle_starts;
    CONSORT_TRY(WriteIdentity(identity));
    return WriteTotals(totals_);
  });
}

Status Journal::WriteIdentity(const Identity& identity) {
  CONSORT_TRY(auto insert, database_.Prepare("INSERT OR REPLACE INTO identity VALUES (?, ?)"));
  for (const auto& part : identity) CONSORT_TRY(insert.With(part.key, part.value).Run());
  return Ok();
}

Status Journal::WriteTotals(const JobTotals& totals) {
  CONSORT_TRY(auto row,
              database_.Prepare("INSERT OR REPLACE INTO job VALUES "
                                "(1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  const std::string_view stages(reinterpret_cast<const char*>(totals.stage_ns.data()), kStagesText);
  CONSORT_TRY(row.With(begun_, switching_, totals.entries, totals.bytes, totals.head,
                       totals.head_segment, totals.head_bytes, totals.files_done, totals.segments,
                       totals.audio_seconds, totals.elapsed_ns, stages, totals.restarts[0],
                       totals.restarts[1], totals.restarts[2], totals.restarts[3],
                       totals.idle_starts, anew_, totals.workers_replaced)
                  .Run());
  if (totals.joiner == joiner_) return Ok();
  CONSORT_TRY(database_.Run("DELETE FROM joiner"));
  if (!totals.joiner.empty()) {
    CONSORT_TRY(auto joiner, database_.Prepare("INSERT INTO joiner VALUES (?)"));
    CONSORT_TRY(joiner.With(totals.joiner).Run());
  }
  joiner_ = totals.joiner;
  return Ok();
}

Status Journal::WriteFiles(const char* table, const std::vector<FileRow>& rows) {
  const std::string sql =
      std::string("INSERT OR REPLACE INTO ") + table + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
  CONSORT_TRY(auto insert, database_.Prepare(sql.c_str()));
  std::vector<std::pair<uint64_t, int32_t>> channels;
  for (const auto& row : rows) {
    std::optional<std::string_view> error;
    if (!row.error.empty()) error = row.error;
    CONSORT_TRY(insert
                    .With(row.file, row.size, row.mtime_ns, row.samples, row.rate, row.alignment,
                          row.segments, row.bytes, row.code, error, row.tail)
                    .Run());
    if (row.channels != 0) channels.emplace_back(row.file, row.channels);
  }
  return WriteChannels(channels);
}

Status Journal::WriteChannels(const std::vector<std::pair<uint64_t, int32_t>>& of_files) {
  if (of_files.empty()) return Ok();
  CONSORT_TRY(auto insert, database_.Prepare("INSERT OR REPLACE INTO channels VALUES (?, ?)"));
  for (const auto& [file, channels] : of_files) CONSORT_TRY(insert.With(file, channels).Run());
  return Ok();
}

Status Journal::WriteQuarantine(const char* table, const std::vector<QuarantineRow>& rows) {
  const std::string sql = std::string("INSERT OR REPLACE INTO ") + table + " VALUES (?, ?, ?)";
  CONSORT_TRY(auto insert, database_.Prepare(sql.c_str()));
  for (const auto& row : rows) CONSORT_TRY(insert.With(row.file, row.segment, row.line).Run());
  return Ok();
}

Status Journal::WriteOpen(const JournalStep& step) {
  CONSORT_TRY(database_.Run("DELETE FROM open_files; DELETE FROM suspects; DELETE FROM in_hand"));
  CONSORT_TRY(auto open, database_.Prepare("INSERT INTO open_files VALUES "
                                           "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  std::vector<std::pair<uint64_t, int32_t>> channels;
  for (const auto& file : step.open) {
    std::optional<uint64_t> segment;
    std::optional<int64_t> sample;
    std::optional<uint32_t> code;
    std::optional<std::string> message;
    if (file.fault) {
      segment = file.fault->segment;
      sample = file.fault->at_sample;
      code = file.fault->code;
      message = file.fault->message;
    }
    const auto& info = file.info;
    CONSORT_TRY(open.With(info.file, info.size_bytes, info.mtime_ns, info.samples, info.sample_rate,
                          info.segment_alignment, file.crashed.size(), file.crash_line, segment,
                          sample, code, message)
                    .Run());
    if (info.channels != 0) channels.emplace_back(info.file, info.channels);
  }
  CONSORT_TRY(WriteChannels(channels));
  CONSORT_TRY(auto suspect, database_.Prepare("INSERT INTO suspects VALUES (?, ?, ?, ?)"));
  for (const auto& it : step.suspects) {
    CONSORT_TRY(suspect.With(it.file, it.segment, it.deaths, it.together).Run());
  }
  CONSORT_TRY(auto in_hand, database_.Prepare("INSERT INTO in_hand VALUES (?, ?)"));
  for (const auto& it : step.in_hand) {
    CONSORT_TRY(in_hand.With(it.file, it.segment).Run());
  }
  return Ok();
}

Status Journal::Commit(const JournalStep& step) {
  const Status written = Transaction([&]() -> Status {
    CONSORT_TRY(WriteFiles("files", step.files));
    CONSORT_TRY(WriteQuarantine("quarantine", step.quarantined));
    CONSORT_TRY(auto insert, database_.Prepare("INSERT OR REPLACE INTO ahead VALUES (?, ?, ?, ?)"));
    for (const auto& row : step.ahead) {
      CONSORT_TRY(insert.With(row.file, row.first, row.count, row.text).Run());
    }
    CONSORT_TRY(auto forget, database_.Prepare("DELETE FROM ahead WHERE file < ?1 OR "
                                               "(file = ?1 AND first + count <= ?2)"));
    CONSORT_TRY(forget.With(step.totals.head, step.totals.head_segment).Run());
    CONSORT_TRY(WriteOpen(step));
    return WriteTotals(step.totals);
  });
  if (!written) return written;
  totals_ = step.totals;
  if (const Status told = AppendToQuarantine(step.quarantined, folder_); !told) {
    failed_ = told.error();
    return *failed_;
  }
  return network_ ? WriteStatusFile(database_, folder_) : Ok();
}

Status Journal::BeginSwitch(const std::vector<FileRow>& rows,
                            const std::vector<QuarantineRow>& quarantined,
                            const JobTotals& totals) {
  return Transaction([&]() -> Status {
    CONSORT_TRY(
        database_.Run("DELETE FROM files_next; DELETE FROM totals_next;"
                      "DELETE FROM quarantine_next"));
    CONSORT_TRY(WriteFiles("files_next", rows));
    CONSORT_TRY(WriteQuarantine("quarantine_next", quarantined));
    CONSORT_TRY(auto next, database_.Prepare("INSERT INTO totals_next VALUES (?, ?, ?, ?)"));
    CONSORT_TRY(
        next.With(totals.bytes, totals.segments, totals.audio_seconds, totals.elapsed_ns).Run());
    switching_ = true;
    totals_.restarts = totals.restarts;
    totals_.workers_replaced = totals.workers_replaced;
    return WriteTotals(totals_);
  });
}

Status Journal::EndSwitch() {
  const Status switched = Transaction([&]() -> Status {
    CONSORT_TRY(
        database_.Run("DELETE FROM quarantine WHERE file IN (SELECT file FROM files_next);"
                      "INSERT OR REPLACE INTO quarantine SELECT * FROM quarantine_next;"
                      "DELETE FROM quarantine_next;"
                      "INSERT OR REPLACE INTO files SELECT * FROM files_next;"
                      "DELETE FROM files_next"));
    {
      CONSORT_TRY(auto next, database_.Prepare("SELECT bytes, segments, audio_seconds, elapsed_ns "
                                               "FROM totals_next"));
      CONSORT_TRY(const bool any, next.Step());
      if (any) {
        totals_.bytes = next.Unsigned(0);
        totals_.segments = next.Unsigned(1);
        totals_.audio_seconds = next.Real(2);
        totals_.elapsed_ns = next.Int(3);
      }
    }
    CONSORT_TRY(database_.Run("DELETE FROM totals_next"));
    switching_ = false;
    return WriteTotals(totals_);
  });
  return switched ? RewriteQuarantine(database_, folder_) : switched;
}

}  // namespace consort
