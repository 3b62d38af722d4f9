// Frames to the stretches of each label that are on, or between the two thresholds: what events
// are made of (supervisor/join/events.h).
#pragma once

#include <vector>

#include "worker/interpret/frame_rows.h"
#include "worker/interpret/interpreter.h"

namespace consort {

class FrameInterpreter : public Interpreter {
 public:
  FrameInterpreter(const Manifest& manifest, size_t labels);

  Status Interpret(std::span<const float> raw, const SegmentPlace& place,
                   SegmentResult& result) override;

 private:
  // 0: below both thresholds of the label.
  uint8_t Level(uint32_t label, float score) const;

  FrameGrid grid_;
  FrameRows rows_;
  std::vector<float> on_;  // by label; infinite: it has no events
  std::vector<float> off_;
};

}  // namespace consort
