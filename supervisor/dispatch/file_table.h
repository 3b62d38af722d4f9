// The files that are being worked on: from the moment one is first handed out until its last
// segment is accounted for. The list itself is never held.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "shared/record/result.h"
#include "shared/segment/segment.h"
#include "supervisor/plan/ranges.h"

namespace consort {

struct EngineId {
  uint64_t worker = 0;
  uint32_t engine = 0;
  bool operator==(const EngineId&) const = default;
};

struct OpenFile {
  uint64_t index = 0;  // in the list
  std::string name;    // as in results, escaped for JSON
  std::string path;    // to open

  std::optional<FileInfo> info;     // once a worker has opened it
  std::optional<SegmentGrid> grid;  // with info; has several streams if channels are heard apart
  uint64_t total = UINT64_MAX;      // segments, once known
  uint64_t next_unassigned = 0;     // segments from here on have never been handed out
  std::optional<EngineId> reader;   // the engine that was given segments of it last
  RangeSet accounted;               // segments with a line, or given up
  uint64_t end = UINT64_MAX;        // segments from here on are void: a fault lies before them
  std::optional<FileFault> fault;   // the earliest one
  std::set<uint64_t> crashed;       // segments given up one by one

  uint64_t last() const { return total < end ? total : end; }
  bool one_pass() const { return info && info->segment_alignment == kOnePassAlignment; }
  bool complete() const { return accounted.FirstMissing() >= last(); }
  uint64_t unassigned() const {
    return last() == UINT64_MAX || next_unassigned >= last() ? 0 : last() - next_unassigned;
  }
};

}  // namespace consort
