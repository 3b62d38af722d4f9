#include "worker/interpret/frames.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace consort {

FrameInterpreter::FrameInterpreter(const Manifest& manifest, size_t labels)
    : grid_(manifest.audio.hop_ns, manifest.output.frame_ns),
      rows_(manifest.output.activation, labels),
      on_(manifest.output.label_thresholds) {
  if (on_.empty()) on_.assign(labels, static_cast<float>(manifest.output.threshold));
  // An event ends below its beginning. Of a label that is left out nothing is between, either.
  const auto off = static_cast<float>(manifest.output.threshold_off);
  for (const float on : on_) off_.push_back(std::isinf(on) ? on : std::min(off, on));
}

uint8_t FrameInterpreter::Level(uint32_t label, float score) const {
  if (score >= on_[label]) return FrameRun::kOn;
  return score >= off_[label] ? FrameRun::kBetween : 0;
}

Status FrameInterpreter::Interpret(std::span<const float> raw, const SegmentPlace& place,
                                   SegmentResult& result) {
  CONSORT_TRY(rows_.Take(raw));
  const auto own = OwnRows(grid_, place, rows_.count());
  CONSORT_TRY(auto* const runs, BeginRuns(grid_, place, own, result));
  for (uint32_t label = 0; label < rows_.labels(); ++label) {
    uint8_t level = 0;  // of the frame before
    for (int64_t frame = own.first; frame < own.end; ++frame) {
      const float score = rows_.Row(frame)[label];
      const uint8_t before = std::exchange(level, Level(label, score));
      if (level == 0) continue;
      if (level != before) {
        runs->runs.push_back({label, static_cast<uint32_t>(frame - own.first), 0, score, level});
      }
      FrameRun& run = runs->runs.back();
      ++run.count;
      run.score = std::max(run.score, score);
    }
  }
  return EndRuns(*runs);
}

}  // namespace consort
