#include "worker/interpret/ctc.h"

#include <algorithm>
#include <utility>

namespace consort {
namespace {

// Scores of words are probabilities: logarithms of them are not taken.
OutputSpec::Activation ToProbabilities(OutputSpec::Activation activation) {
  using Activation = OutputSpec::Activation;
  return activation == Activation::kLogSoftmax ? Activation::kSoftmax : activation;
}

}  // namespace

void GreedyDecoder::Decode(const FrameRows& rows, const FrameGrid::Part& own,
                           std::vector<FrameRun>& runs) {
  uint32_t token = blank_;  // of the frame before
  for (int64_t frame = own.first; frame < own.end; ++frame) {
    const auto row = rows.Row(frame);
    const auto best = std::ranges::max_element(row);  // the first of them
    const uint32_t before = std::exchange(token, static_cast<uint32_t>(best - row.begin()));
    if (token == blank_) continue;
    if (token != before) {
      runs.push_back({token, static_cast<uint32_t>(frame - own.first), 0, *best, FrameRun::kOn});
    }
    ++runs.back().count;
    runs.back().score = std::max(runs.back().score, *best);
  }
}

CtcInterpreter::CtcInterpreter(const Manifest& manifest, size_t labels,
                               std::unique_ptr<Decoder> decoder)
    : grid_(manifest.audio.hop_ns, manifest.output.frame_ns),
      rows_(ToProbabilities(manifest.output.activation), labels),
      decoder_(std::move(decoder)) {}

Status CtcInterpreter::Interpret(std::span<const float> raw, const SegmentPlace& place,
                                 SegmentResult& result) {
  CONSORT_TRY(rows_.Take(raw));
  const auto own = OwnRows(grid_, place, rows_.count());
  CONSORT_TRY(auto* const runs, BeginRuns(grid_, place, own, result));
  decoder_->Decode(rows_, own, runs->runs);
  return EndRuns(*runs);
}

}  // namespace consort
