#include "supervisor/job/recorder.h"

#include <optional>
#include <utility>

namespace consort {
namespace {

constexpr size_t kFlushBytes = 256 * 1024;

}  // namespace

Recorder::Recorder(const std::vector<std::string>& labels, ResultFile file, ScratchFile scratch)
    : format_(labels),
      file_(std::move(file)),
      gather_([this](std::string_view line) { return Write(line); }, std::move(scratch)) {}

Status Recorder::SegmentDone(const OpenFile& file, const SegmentTags& tags) {
  line_.clear();
  const auto k = static_cast<int64_t>(tags.segment);
  format_.AppendTags(line_, file.name, file.grid->StartMs(k),
                     file.grid->EndMs(k, file.info->samples), tags.tags);
  return gather_.Add(file.index, tags.segment, line_);
}

Status Recorder::SegmentCrashed(const OpenFile& file, uint64_t segment,
                                const std::string& message) {
  line_.clear();
  format_.AppendError(line_, file.name, ErrorCode::kCrashed, message,
                      file.grid->StartMs(static_cast<int64_t>(segment)));
  return gather_.Add(file.index, segment, line_);
}

Status Recorder::FileDone(const OpenFile& file) {
  line_.clear();
  std::optional<ErrorCode> reason;
  if (file.crashed_segments > 0) reason = ErrorCode::kCrashed;
  if (file.fault) {
    reason = ToErrorCode(file.fault->code).value_or(ErrorCode::kDecode);
    std::optional<int64_t> at_ms;
    if (file.grid && file.fault->at_sample >= 0) {
      at_ms = file.grid->SampleToMs(file.fault->at_sample);
    } else if (file.grid) {
      at_ms = file.grid->StartMs(static_cast<int64_t>(file.fault->segment));
    }
    format_.AppendError(line_, file.name, *reason, file.fault->message, at_ms);
  }
  if (reason) {
    ++failed_[*reason];
    ++files_failed_;
  }
  return gather_.Finish(file.index, file.last(), line_);
}

Status Recorder::Write(std::string_view line) {
  pending_ += line;
  return pending_.size() >= kFlushBytes ? Flush() : Ok();
}

Status Recorder::Flush() {
  if (pending_.empty()) return Ok();
  CONSORT_TRY(const size_t written, file_.WriteSome(pending_));
  pending_.erase(0, written);
  blocked_ = !pending_.empty();
  return Ok();
}

}  // namespace consort
