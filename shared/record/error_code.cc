#include "shared/record/error_code.h"

namespace consort {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kNotAFile:
      return "not_a_file";
    case ErrorCode::kUnreadable:
      return "unreadable";
    case ErrorCode::kEmpty:
      return "empty";
    case ErrorCode::kNotAudio:
      return "not_audio";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kTruncated:
      return "truncated";
    case ErrorCode::kDecode:
      return "decode";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kNotFinite:
      return "not_finite";
    case ErrorCode::kChanged:
      return "changed";
    case ErrorCode::kModel:
      return "model";
    case ErrorCode::kOutput:
      return "output";
    case ErrorCode::kCrashed:
      return "crashed";
  }
  return "unknown";
}

std::optional<ErrorCode> ToErrorCode(uint32_t number) {
  if (number < 1 || number > static_cast<uint32_t>(ErrorCode::kCrashed)) return std::nullopt;
  return static_cast<ErrorCode>(number);
}

}  // namespace consort
