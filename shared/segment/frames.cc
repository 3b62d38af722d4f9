#include "shared/segment/frames.h"

#include <algorithm>

#include "shared/segment/nanoseconds.h"

namespace consort {
namespace {

// A file may be told to be as long as 64 bits count; times stop here (146 years).
constexpr int64_t kLongestNs = int64_t{1} << 62;

}  // namespace

FrameGrid::FrameGrid(int64_t hop_ns, int64_t frame_ns)
    : hop_ns_(hop_ns), frame_ns_(frame_ns), per_hop_(Nearest(hop_ns, frame_ns)) {}

int64_t FrameGrid::Nearest(int64_t hop_ns, int64_t frame_ns) {
  return std::max<int64_t>(1, (hop_ns + frame_ns / 2) / frame_ns);
}

bool FrameGrid::IsWhole(int64_t hop_ns, int64_t frame_ns) {
  // Each was rounded to the nanosecond: half of one for the hop, and for each of its frames.
  const int64_t count = Nearest(hop_ns, frame_ns);
  const Wide apart = static_cast<Wide>(count) * frame_ns - hop_ns;
  return 2 * (apart < 0 ? -apart : apart) <= count + 1;
}

int64_t FrameGrid::StartNs(int64_t frame) const {
  const Wide ns = static_cast<Wide>(frame / per_hop_) * hop_ns_ +
                  static_cast<Wide>(frame % per_hop_) * frame_ns_;
  return static_cast<int64_t>(std::min<Wide>(ns, kLongestNs));
}

int64_t FrameGrid::Count(int64_t samples, int32_t rate) const {
  if (samples <= 0) return 0;
  // A frame begins before the end if it begins before the nanosecond that the end is rounded up to.
  const Wide exact = (static_cast<Wide>(samples) * kNsPerSecond + rate - 1) / rate;
  const auto last = static_cast<int64_t>(std::min<Wide>(exact, kLongestNs)) - 1;
  return last / hop_ns_ * per_hop_ + std::min(last % hop_ns_ / frame_ns_, per_hop_ - 1) + 1;
}

FrameGrid::Part FrameGrid::Own(int64_t k, int64_t segments, int64_t frames,
                               int64_t file_frames) const {
  const int64_t dropped = std::max<int64_t>(0, frames - per_hop_) / 2;
  const Wide begin = static_cast<Wide>(k) * per_hop_;
  const Wide first = k == 0 ? 0 : begin + dropped;
  const Wide end = k + 1 == segments ? begin + frames : begin + per_hop_ + dropped;
  const auto clip = [&](Wide frame) {
    return static_cast<int64_t>(std::min<Wide>(frame, file_frames));
  };
  return {clip(first), clip(std::max(first, end))};
}

int64_t SamplesToNs(int64_t samples, int32_t rate) {
  const Wide ns = (static_cast<Wide>(samples) * kNsPerSecond + rate / 2) / rate;
  return static_cast<int64_t>(std::min<Wide>(ns, kLongestNs));
}

int64_t NsToMs(int64_t ns) { return (ns + 500'000) / 1'000'000; }

}  // namespace consort
