#include "shared/segment/segment.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "shared/segment/nanoseconds.h"

namespace consort {
namespace {

int64_t RoundDivide(Wide numerator, Wide denominator) {  // both non-negative; half away from zero
  return static_cast<int64_t>((numerator + denominator / 2) / denominator);
}

int64_t Most(Wide count) {
  return static_cast<int64_t>(std::min<Wide>(count, std::numeric_limits<int64_t>::max()));
}

}  // namespace

int64_t SecondsToNs(double seconds) { return std::llround(seconds * 1e9); }

int64_t RoundSamples(int64_t ns, int64_t rate) {
  return RoundDivide(static_cast<Wide>(ns) * rate, kNsPerSecond);
}

SegmentGrid::SegmentGrid(int64_t segment_ns, int64_t hop_ns, int32_t rate, int64_t streams)
    : hop_ns_(hop_ns),
      rate_(rate),
      length_(std::max<int64_t>(1, RoundSamples(segment_ns, rate))),
      streams_(std::max<int64_t>(1, streams)) {}

int64_t SegmentGrid::Start(int64_t s) const {
  return RoundDivide(static_cast<Wide>(Place(s)) * hop_ns_ * rate_, kNsPerSecond);
}

int64_t SegmentGrid::Places(int64_t samples) const {
  if (samples <= 0) return 0;
  const Wide rest = static_cast<Wide>(std::max<int64_t>(0, samples - length_)) * kNsPerSecond;
  const Wide hop = static_cast<Wide>(hop_ns_) * rate_;
  return Most(1 + (rest + hop - 1) / hop);
}

int64_t SegmentGrid::Count(int64_t samples) const {
  return Most(static_cast<Wide>(Places(samples)) * streams_);
}

int64_t SegmentGrid::SampleToMs(int64_t sample) const {
  return RoundDivide(static_cast<Wide>(sample) * 1000, rate_);
}

int64_t SegmentGrid::StartMs(int64_t s) const { return SampleToMs(Start(s)); }

int64_t SegmentGrid::EndMs(int64_t s, int64_t samples) const {
  const int64_t start = Start(s);
  // Not min(start + L, N): a file may be told to be as long as 64 bits count.
  return SampleToMs(samples - start < length_ ? samples : start + length_);
}

}  // namespace consort
