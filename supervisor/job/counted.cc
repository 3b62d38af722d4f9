#include "supervisor/job/counted.h"

namespace consort {

Counted CountedOf(const FileRow& row, const std::vector<uint64_t>& crashed, int64_t segment_ns,
                  int64_t hop_ns) {
  Counted counted;
  if (row.rate <= 0) return counted;  // it was never opened
  const SegmentGrid grid(segment_ns, hop_ns, row.rate);
  const auto total = static_cast<uint64_t>(grid.Count(row.samples));
  const auto seconds_until = [&](uint64_t k) {
    const int64_t sample = k < total ? grid.Start(static_cast<int64_t>(k)) : row.samples;
    return static_cast<double>(sample) / row.rate;
  };
  counted.segments = row.segments;
  counted.audio_seconds = seconds_until(row.segments);
  for (const uint64_t k : crashed) {
    if (k >= row.segments) continue;
    --counted.segments;
    counted.audio_seconds -= seconds_until(k + 1) - seconds_until(k);
  }
  return counted;
}

}  // namespace consort
