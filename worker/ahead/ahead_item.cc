#include "worker/ahead/ahead_item.h"

#include <algorithm>

namespace consort {
namespace {

// Headers, and what a seek lands beside.
constexpr int64_t kSlackBytes = 256 << 10;
constexpr double kPieceBytes = 8 << 20;

void AddPieces(const TaskItem& item, uint64_t from, double segment_bytes,
               std::vector<AheadItem>& plan) {
  const uint64_t piece = PieceSegments(segment_bytes);
  const uint64_t end = item.first_segment + item.segment_count;
  uint64_t at = from - (from - item.first_segment) % piece;
  while (at < end && plan.size() < kMostAheadItems) {
    plan.push_back({item.path, at, std::min(piece, end - at), segment_bytes});
    if (piece >= end - at) break;  // a piece may be as large as its type: no sum with it
    at += piece;
  }
}

}  // namespace

AheadRange RangeOf(const AheadItem& item, int64_t size, double usual_segment_bytes) {
  const bool known = item.segment_bytes > 0;
  const double segment = known ? item.segment_bytes : usual_segment_bytes;
  const auto bytes = [&](uint64_t segments) {
    return static_cast<int64_t>(
        std::min(static_cast<double>(segments) * segment, static_cast<double>(size)));
  };
  // Where a segment lies in a file that was not opened yet cannot be told, but for the first.
  const bool placed = known || item.first == 0;
  const uint64_t first = placed ? item.first : 0;
  const uint64_t count = placed ? item.count : 0;
  const int64_t begin = std::max<int64_t>(0, bytes(first) - kSlackBytes);
  const int64_t end = std::min(size, bytes(first + count) + kSlackBytes);
  return {begin, std::min(end, begin + kMostAheadBytes)};
}

uint64_t PieceSegments(double segment_bytes) {
  if (segment_bytes <= 0) return UINT64_MAX;
  return static_cast<uint64_t>(std::max(1.0, kPieceBytes / segment_bytes));
}

std::vector<AheadItem> PlanAhead(const TaskItem& now, uint64_t k, double segment_bytes,
                                 std::span<const TaskItem> later) {
  std::vector<AheadItem> plan;
  AddPieces(now, k, segment_bytes, plan);
  for (const auto& item : later) {
    if (plan.size() >= kMostAheadItems) break;
    AddPieces(item, item.first_segment, item.path == now.path ? segment_bytes : 0, plan);
  }
  return plan;
}

}  // namespace consort
