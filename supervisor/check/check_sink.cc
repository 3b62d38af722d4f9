#include "supervisor/check/check_sink.h"

#include <utility>

#include "shared/record/streams.h"

namespace consort {

CheckSink::CheckSink(ScratchFile scratch, Each each, bool each_channel)
    : each_(std::move(each)),
      each_channel_(each_channel),
      gather_([this](std::string_view bytes) { return Take(bytes); }, std::move(scratch)) {}

Status CheckSink::SegmentCrashed(const OpenFile& file, uint64_t, const std::string& message) {
  crashes_[file.index] = message;
  return Ok();
}

Status CheckSink::FileDone(const OpenFile& file) {
  CheckedFile checked{file.name, file.path, file.info, {}, {}};
  if (file.fault) {
    checked.code = ToErrorCode(file.fault->code).value_or(ErrorCode::kDecode);
    checked.message = file.fault->message;
    if (file.grid && file.fault->at_sample >= 0) {
      checked.at_ms = file.grid->SampleToMs(file.fault->at_sample);
    }
  } else if (!file.crashed.empty()) {
    checked.code = ErrorCode::kCrashed;
    checked.message = crashes_[file.index];
  } else if (each_channel_ && file.info && file.info->channels > kMaxStreams) {
    checked.code = ErrorCode::kUnsupported;
    checked.message = TooManyStreams(file.info->channels);
  }
  crashes_.erase(file.index);
  if (checked.code) {
    ++failed_[*checked.code];
    ++files_failed_;
  }
  record_.clear();
  Append(record_, checked);
  return gather_.Finish(file.index, 0, record_);
}

// The gatherer cuts what it had put away where it likes.
Status CheckSink::Take(std::string_view bytes) {
  begun_ += bytes;
  std::string_view rest = begun_;
  CheckedFile file;
  while (TakeFirst(rest, file)) CONSORT_TRY(each_(file));
  begun_.erase(0, begun_.size() - rest.size());
  return Ok();
}

}  // namespace consort
