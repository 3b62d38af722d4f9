// Why a file, or one segment of it, cannot be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "shared/record/error_code.h"
#include "shared/record/result.h"

namespace consort {

struct ReadFault {
  ErrorCode code;
  int64_t at_sample = -1;  // source sample, -1 if the fault has no place
  std::string message;     // one clause, without the file's name
  // It is this process that is at fault, not the file: another one can read it.
  bool ours = false;
};

// Empty: all went well.
using MaybeFault = std::optional<ReadFault>;

inline MaybeFault Fault(ErrorCode code, std::string message, int64_t at_sample = -1) {
  return ReadFault{code, at_sample, std::move(message)};
}

// What an engine tells of it.
inline FileFault ToFault(const ReadFault& fault) {
  return {0, 0, fault.at_sample, static_cast<uint32_t>(fault.code), fault.message};
}

}  // namespace consort
