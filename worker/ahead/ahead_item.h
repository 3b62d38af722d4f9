// What to read ahead: runs of segments, and where their bytes lie.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shared/record/task.h"

namespace consort {

inline constexpr int64_t kMostAheadBytes = 32 << 20;  // ahead of an engine
inline constexpr size_t kMostAheadItems = 8;          // likewise

// A run of segments of a file.
struct AheadItem {
  std::string path;
  uint64_t first = 0;
  uint64_t count = 0;
  // Bytes a segment has in this file; 0: it was not open yet, and what others have must do.
  double segment_bytes = 0;

  bool operator==(const AheadItem&) const = default;
};

// Bytes of a file: [begin, end).
struct AheadRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// Which bytes of a file of this size that is, with some on both sides.
AheadRange RangeOf(const AheadItem& item, int64_t size, double usual_segment_bytes);

// How many segments of a file are one item.
uint64_t PieceSegments(double segment_bytes);

// What an engine needs from segment `k` of `now` on, soonest first: the rest of it, in pieces that
// begin at now.first_segment plus multiples of PieceSegments, then the items of `later`.
std::vector<AheadItem> PlanAhead(const TaskItem& now, uint64_t k, double segment_bytes,
                                 std::span<const TaskItem> later);

}  // namespace consort
