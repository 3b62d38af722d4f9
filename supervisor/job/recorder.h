// From what the dispatcher learns to lines in the results: format, put in order, write. Counts
// what the summary tells, and keeps what a journal has yet to hear.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/bundle/bundle.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/gather/gather.h"
#include "supervisor/job/job_output.h"
#include "supervisor/journal/journal.h"
#include "supervisor/output/jsonl.h"
#include "supervisor/output/result_file.h"

namespace consort {

class Recorder : public JobOutput {
 public:
  Recorder(const Bundle& bundle, ResultFile file, ScratchFile scratch);
  Recorder(const Recorder&) = delete;  // the gatherer holds its address
  Recorder& operator=(const Recorder&) = delete;

  // Before anything else: what ends is kept for TakeEnded, and, with `lines`, lines that are not in
  // the results for TakeAhead.
  void KeepForJournal(bool lines);
  // Before anything else: goes on where the journal says. Lines that ran ahead are here again.
  Status Resume(Journal& journal, const ResumePoint& point);
  // Before anything else: only the files in `rows` get results, all others have none.
  Status OnlyThese(const std::vector<FileRow>& rows, uint64_t entries);

  void SeeDeath(LastDeath death) override { last_death_ = std::move(death); }

  Status SegmentDone(const OpenFile& file, const SegmentTags& tags) override;
  Status SegmentDone(const OpenFile& file, const SegmentRuns& runs) override;
  void Quarantined(const OpenFile& file, uint64_t segment, const Verdict& verdict) override;
  Status SegmentCrashed(const OpenFile& file, uint64_t segment,
                        const std::string& message) override;
  Status FileDone(const OpenFile& file) override;

  // To a pipe as far as it has room.
  Status Flush() override;
  bool flushed() const override { return pending_.empty() && !gather_.waits(); }
  bool blocked() const override { return blocked_; }
  bool congested() const override { return pending_.size() > kCongestedBytes; }
  void StartSync() override { file_.StartSync(); }
  Status Sync() override { return file_.Sync(); }

  // All lines in order are with the system, but for pending ones: where the results stand.
  const Gather& gather() const { return gather_; }
  // What came since the last time. The rows' texts live until Taken.
  const std::vector<FileRow>& ended() const { return ended_; }
  const std::vector<QuarantineRow>& quarantined() const { return quarantined_; }
  std::vector<AheadRow> Ahead();
  const std::string& crash_line(uint64_t file) const;
  // What the journal is to know of a file: its channels only where they are heard one by one.
  FileInfo Kept(const FileInfo& info) const;
  void Taken();
  // So much waits for the journal that it should be written before its time.
  bool journal_is_due();

  uint64_t bytes_written() const { return file_.bytes_written(); }
  void RemoveFile() { file_.Remove(); }
  bool reader_gone() const override { return file_.reader_gone(); }
  const std::map<ErrorCode, uint64_t>& failed() const override { return failed_; }
  uint64_t files_failed() const override { return files_failed_; }

 private:
  static constexpr size_t kCongestedBytes = 4 * 1024 * 1024;

  struct AheadLine {
    uint64_t file;
    uint64_t segment;
    std::string text;
  };

  Status Add(uint64_t file, uint64_t segment);
  // Of that segment, as lines tell it: from 1, or 0.
  int64_t ChannelOf(const OpenFile& file, uint64_t segment) const;
  Status Write(std::string_view line);
  Status WritePending();
  void DropWritten();

  JsonlFormatter format_;
  const bool joins_;         // what is gathered are pieces
  const bool each_channel_;  // channels are heard one by one, and lines say which
  ResultFile file_;
  std::string pending_;  // with what is finished at most kCongestedBytes and a piece; the head's
                         // own runs come at once
  bool blocked_ = false;
  std::string line_;
  std::map<ErrorCode, uint64_t> failed_;
  uint64_t files_failed_ = 0;
  bool keep_ended_ = false;
  bool keep_lines_ = false;
  std::vector<FileRow> ended_;
  LastDeath last_death_;
  std::vector<QuarantineRow> quarantined_;
  std::vector<AheadLine> ahead_;
  size_t ahead_bytes_ = 0;
  std::string runs_;                             // texts of Ahead
  std::map<uint64_t, std::string> crash_lines_;  // of open files, the last one each
  Gather gather_;                                // last: it writes to the others
};

}  // namespace consort
