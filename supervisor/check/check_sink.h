// What a check learns of its files, put in order of the list: counted, and written to the files
// that were asked for.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "supervisor/check/checked_file.h"
#include "supervisor/gather/gather.h"
#include "supervisor/job/job_output.h"

namespace consort {

class CheckSink : public JobOutput {
 public:
  // Gets each file in order of the list.
  using Each = std::function<Status(const CheckedFile&)>;

  // `each_channel`: -m names a bundle that hears channels one by one.
  CheckSink(ScratchFile scratch, Each each, bool each_channel = false);
  CheckSink(const CheckSink&) = delete;  // the gatherer holds its address
  CheckSink& operator=(const CheckSink&) = delete;

  Status SegmentDone(const OpenFile&, const SegmentTags&) override { return Ok(); }
  Status SegmentDone(const OpenFile&, const SegmentRuns&) override { return Ok(); }
  Status SegmentCrashed(const OpenFile& file, uint64_t segment,
                        const std::string& message) override;
  Status FileDone(const OpenFile& file) override;

  const std::map<ErrorCode, uint64_t>& failed() const override { return failed_; }
  uint64_t files_failed() const override { return files_failed_; }

 private:
  Status Take(std::string_view bytes);

  Each each_;
  bool each_channel_;
  std::string begun_;                        // of a record whose rest is still to come
  std::map<uint64_t, std::string> crashes_;  // of open files
  std::map<ErrorCode, uint64_t> failed_;
  uint64_t files_failed_ = 0;
  std::string record_;
  Gather gather_;  // last: it gives to the others
};

}  // namespace consort
