// Where the segments of a file lie, in source samples.
//
// A segment is L = round(segment_seconds * rate) source samples; segment k starts at source sample
// round(k * hop_seconds * rate). Both are computed in integers from nanoseconds, half away from
// zero, so that every process and every machine agrees. A file of N samples has
// 1 + ceil(max(0, N - L) / (hop * rate)) segments: any remainder makes a last, padded one.
#pragma once

#include <cstdint>

namespace consort {

// The manifest's seconds, to the nanosecond.
int64_t SecondsToNs(double seconds);

class SegmentGrid {
 public:
  // rate in Hz, >= 1; segment_ns and hop_ns > 0.
  SegmentGrid(int64_t segment_ns, int64_t hop_ns, int32_t rate);

  int64_t length() const { return length_; }        // L, source samples, at least 1
  int64_t Start(int64_t k) const;                   // first source sample of segment k
  int64_t Count(int64_t samples) const;             // segments of a file; 0 for an empty file
  int64_t StartMs(int64_t k) const;                 // Start(k) in milliseconds, rounded
  int64_t EndMs(int64_t k, int64_t samples) const;  // min(Start(k) + L, N), rounded
  int64_t SampleToMs(int64_t sample) const;

 private:
  int64_t hop_ns_;
  int32_t rate_;
  int64_t length_;
};

// round(duration * rate) for a duration in nanoseconds, half away from zero.
int64_t RoundSamples(int64_t ns, int64_t rate);

}  // namespace consort
