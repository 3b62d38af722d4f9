// Where a dispatcher goes on: what another one of the same list had left.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "shared/channel/stage.h"
#include "shared/record/result.h"
#include "supervisor/plan/ranges.h"

namespace consort {

// A file of which something is done.
struct ResumeFile {
  FileInfo info;  // info.file is its index
  RangeSet accounted;
  std::optional<FileFault> fault;
  std::set<uint64_t> crashed;
  std::string crash_line;  // of the last of these, as in results
};

struct ResumeSuspect {
  uint64_t file = 0;
  uint64_t segment = 0;
  int deaths = 0;        // while alone
  int64_t together = 0;  // suspects of the same number are one group
};

struct ResumePoint {
  RangeSet done;                 // files that are finished
  std::vector<ResumeFile> open;  // not among them
  std::vector<ResumeSuspect> suspects;
  uint64_t segments = 0;
  double audio_seconds = 0;
  std::array<int64_t, kStageCount> stage_ns{};
};

}  // namespace consort
