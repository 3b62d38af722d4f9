// What a file that has ended has added to its job's totals: to take it out again when the file is
// done once more.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/segment/segment.h"
#include "supervisor/journal/journal.h"

namespace consort {

struct FileTotal {
  uint64_t segments = 0;
  double audio_seconds = 0;
};

// `crashed`: its segments whose line tells that they were given up; those beyond the row's segments
// have no line and do not matter. row.channels: those that are heard one by one, or 0.
FileTotal FileTotalOf(const FileRow& row, const std::vector<uint64_t>& crashed, int64_t segment_ns,
                      int64_t hop_ns);

}  // namespace consort
