#include "worker/interpret/frame_rows.h"

#include <limits>
#include <string>

#include "worker/interpret/activation.h"

namespace consort {

Status FrameRows::Take(std::span<const float> raw) {
  if (raw.empty() || raw.size() % labels_ != 0) {
    return Error{"the model gave " + std::to_string(raw.size()) + " scores, no frames of " +
                 std::to_string(labels_) + " labels"};
  }
  CONSORT_TRY(CheckFinite(raw));
  count_ = static_cast<int64_t>(raw.size() / labels_);
  scores_.resize(raw.size());
  for (size_t at = 0; at < raw.size(); at += labels_) {
    Activate(activation_, raw.subspan(at, labels_), std::span(scores_).subspan(at, labels_));
  }
  return Ok();
}

FrameGrid::Part OwnRows(const FrameGrid& grid, const SegmentPlace& place, int64_t rows) {
  const int64_t file_frames = grid.Count(place.samples, place.sample_rate);
  const auto own = grid.Own(place.segment, place.segments, rows, file_frames);
  // A segment without frames of its own may lie so far out that it has no number.
  if (own.count() == 0) return {0, 0};
  const int64_t begin = place.segment * grid.per_hop();
  return {own.first - begin, own.end - begin};
}

Result<SegmentRuns*> BeginRuns(const FrameGrid& grid, const SegmentPlace& place,
                               const FrameGrid::Part& own, SegmentResult& result) {
  if (!std::holds_alternative<SegmentRuns>(result)) result = SegmentRuns{};
  auto& runs = std::get<SegmentRuns>(result);
  if (own.count() > std::numeric_limits<uint32_t>::max()) {
    return Error{"a segment has too many frames"};
  }
  runs.runs.clear();
  runs.frames = static_cast<uint32_t>(own.count());
  runs.first_frame = own.count() > 0
                         ? static_cast<uint64_t>(place.segment * grid.per_hop() + own.first)
                         : static_cast<uint64_t>(grid.Count(place.samples, place.sample_rate));
  return &runs;
}

Status EndRuns(const SegmentRuns& runs) {
  if (runs.runs.size() <= kMaxRuns) return Ok();
  return Error{"the model's answer changes " + std::to_string(runs.runs.size()) +
               " times in one segment, more than the " + std::to_string(kMaxRuns) +
               " that can be told"};
}

}  // namespace consort
