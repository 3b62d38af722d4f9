// An amount of memory, as people type it.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace consort {

struct Size {
  int64_t bytes = 0;  // 0: not given
  std::string text;   // as typed
};

// "800M", "12G", "1.5GiB", "4g", "2T", or bytes: all units are of 1024. What may be meant as units
// of 1000 ("4GB") is refused, and so is less than 1 MiB, which is a unit forgotten. The error is a
// sentence that begins with `option`.
Result<Size> ParseSize(const std::string& option, const std::string& text);

}  // namespace consort
