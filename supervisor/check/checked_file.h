// What is known of one file that was opened, and its way through the gatherer as bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/record/error_code.h"
#include "shared/record/result.h"

namespace consort {

struct CheckedFile {
  std::string name;                   // as in results, escaped for JSON
  std::string path;                   // to open
  std::optional<FileInfo> info;       // nullopt: it could not be opened
  std::optional<ErrorCode> code;      // nullopt: it is fine
  std::string message;                // one clause, with `code`
  std::optional<int64_t> at_ms = {};  // where in the file, with `code`; nullopt: no place is known

  double seconds() const {
    return info ? static_cast<double>(info->samples) / info->sample_rate : 0;
  }
};

// A record that says how long it is.
void Append(std::string& out, const CheckedFile& file);

// Takes the first record from `in`, which may end in the middle of one. False: there is no whole
// one.
bool TakeFirst(std::string_view& in, CheckedFile& file);

}  // namespace consort
