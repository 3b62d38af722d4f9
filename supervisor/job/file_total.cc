#include "supervisor/job/file_total.h"

namespace consort {

FileTotal FileTotalOf(const FileRow& row, const std::vector<uint64_t>& crashed, int64_t segment_ns,
                      int64_t hop_ns) {
  FileTotal total;
  if (row.rate <= 0) return total;  // it was never opened
  const SegmentGrid grid(segment_ns, hop_ns, row.rate, row.channels);
  const auto streams = static_cast<uint64_t>(grid.streams());
  const auto places = static_cast<uint64_t>(grid.Places(row.samples));
  // Of one channel.
  const auto seconds_until = [&](uint64_t place) {
    const auto segment = static_cast<int64_t>(place * streams);
    const int64_t sample = place < places ? grid.Start(segment) : row.samples;
    return static_cast<double>(sample) / row.rate;
  };
  total.segments = row.segments;
  const uint64_t further = row.segments % streams;  // channels that have one segment more
  const uint64_t last = row.segments / streams;
  total.audio_seconds = static_cast<double>(streams - further) * seconds_until(last) +
                        static_cast<double>(further) * seconds_until(last + 1);
  for (const uint64_t k : crashed) {
    if (k >= row.segments) continue;
    --total.segments;
    total.audio_seconds -= seconds_until(k / streams + 1) - seconds_until(k / streams);
  }
  return total;
}

}  // namespace consort
