// From what the dispatcher learns to lines in the results: format, put in order, write. Counts
// what the summary tells.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/gather/gather.h"
#include "supervisor/output/jsonl.h"
#include "supervisor/output/result_file.h"

namespace consort {

class Recorder : public ResultSink {
 public:
  Recorder(const std::vector<std::string>& labels, ResultFile file, ScratchFile scratch);
  Recorder(const Recorder&) = delete;  // the gatherer holds its address
  Recorder& operator=(const Recorder&) = delete;

  Status SegmentDone(const OpenFile& file, const SegmentTags& tags) override;
  Status SegmentCrashed(const OpenFile& file, uint64_t segment,
                        const std::string& message) override;
  Status FileDone(const OpenFile& file) override;

  // Lines that are in order but still in memory go to the file; to a pipe as far as it has room.
  Status Flush();
  bool flushed() const { return pending_.empty(); }
  // The last Flush found no room for all.
  bool blocked() const { return blocked_; }
  // Nobody reads fast enough: take no more results for now.
  bool congested() const { return pending_.size() > kCongestedBytes; }
  // What was flushed is on the disk.
  Status Sync() { return file_.Sync(); }

  uint64_t bytes_written() const { return file_.bytes_written(); }
  void RemoveFile() { file_.Remove(); }
  bool reader_gone() const { return file_.reader_gone(); }
  // Files with an error line, by its code; a file with several counts once, by the last one.
  const std::map<ErrorCode, uint64_t>& failed() const { return failed_; }
  uint64_t files_failed() const { return files_failed_; }

 private:
  static constexpr size_t kCongestedBytes = 4 * 1024 * 1024;

  Status Write(std::string_view line);

  JsonlFormatter format_;
  ResultFile file_;
  std::string pending_;
  bool blocked_ = false;
  std::string line_;
  std::map<ErrorCode, uint64_t> failed_;
  uint64_t files_failed_ = 0;
  Gather gather_;  // last: it writes to the others
};

}  // namespace consort
