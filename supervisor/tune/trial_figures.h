// The figures of a measured run, as `consort run --figures` writes them (docs/results.md): what
// tuning needs of them.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace consort {

struct TrialFigures {
  bool complete = false;  // counted for as long as was asked
  double seconds = 0;     // for which it counted
  int64_t counted = 0;    // segments
  double per_second = 0;
  double spread = 0;  // its relative standard error; 0: not known
  double p95_ms = 0;  // 0: not known, so the next three
  int64_t peak_bytes = 0;
  double ready_s = 0;
};

// `path` is for messages.
Result<TrialFigures> ParseFigures(const std::string& text, const std::string& path);

}  // namespace consort
