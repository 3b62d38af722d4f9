// Why a file, or a part of it, has no result: the fixed list behind `"error":{"code":…}`.
// Every code is explained in docs/results.md; the numbers are part of the records.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace consort {

enum class ErrorCode : uint32_t {
  kNotFound = 1,     // no such file
  kNotAFile = 2,     // a directory, FIFO, device or socket
  kUnreadable = 3,   // permission denied, or another error of open(2)
  kEmpty = 4,        // no samples
  kNotAudio = 5,     // no decoder knows the content
  kUnsupported = 6,  // audio, but outside what we take (sample rate, channels, length)
  kTruncated = 7,    // the content ends before the header says
  kDecode = 8,       // the content is damaged
  kIo = 9,           // read(2) failed
  kNotFinite = 10,   // NaN or infinite samples
  kChanged = 11,     // size or time of change differ from what was seen first
  kModel = 12,       // the model refused the segment (an exception), or its output has a wrong size
  kOutput = 13,      // the model's output is NaN or infinite
  kCrashed = 14,     // the segment ended its worker --attempts times while alone in it
};

// The code as written, e.g. "not_found".
std::string_view ErrorCodeName(ErrorCode code);
// From an untrusted number.
std::optional<ErrorCode> ToErrorCode(uint32_t number);

}  // namespace consort
