// What both outputs with frames begin and end with: an answer of T rows with a score for each
// label, of which a part is this segment's own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"
#include "shared/record/result.h"
#include "shared/segment/frames.h"
#include "worker/interpret/interpreter.h"

namespace consort {

// Activated scores, row by row.
class FrameRows {
 public:
  FrameRows(OutputSpec::Activation activation, size_t labels)
      : activation_(activation), labels_(labels) {}

  // An error if `raw` is no whole number of rows, is empty, or has a score that is not finite.
  Status Take(std::span<const float> raw);

  int64_t count() const { return count_; }  // T
  size_t labels() const { return labels_; }
  // Behind the last row there is the last one again.
  std::span<const float> Row(int64_t frame) const {
    const auto at = static_cast<size_t>(frame < count_ ? frame : count_ - 1);
    return std::span(scores_).subspan(at * labels_, labels_);
  }

 private:
  OutputSpec::Activation activation_;
  size_t labels_;
  int64_t count_ = 0;
  std::vector<float> scores_;
};

// The rows that the segment at `place` takes of its answer: [first, end), counted from its first
// row. They may lie behind its last one, see Row.
FrameGrid::Part OwnRows(const FrameGrid& grid, const SegmentPlace& place, int64_t rows);

// The runs of `result`, with what the segment's own frames are; emptied.
Result<SegmentRuns*> BeginRuns(const FrameGrid& grid, const SegmentPlace& place,
                               const FrameGrid::Part& own, SegmentResult& result);
// An error if there are more than a record holds.
Status EndRuns(const SegmentRuns& runs);

}  // namespace consort
