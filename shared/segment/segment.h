// Where the segments of a file lie, in source samples.
//
// A segment is L = round(segment_seconds * rate) source samples; segment k starts at source sample
// round(k * hop_seconds * rate). Both are computed in integers from nanoseconds, half away from
// zero, so that every process and every machine agrees. A file of N samples has
// 1 + ceil(max(0, N - L) / (hop * rate)) segments: any remainder makes a last, padded one.
//
// Where the channels of a file are heard one by one, the segments of all C of them are numbered
// through: segment s is that of channel s % C at place s / C, so time goes first and what holds for
// a row of segments (its order, a fault that ends it) holds for all channels at once. Everything
// above is said of places then. With C = 1 a segment's number is its place.
#pragma once

#include <cstdint>

namespace consort {

// The manifest's seconds, to the nanosecond.
int64_t SecondsToNs(double seconds);

class SegmentGrid {
 public:
  // rate in Hz, >= 1; segment_ns and hop_ns > 0; `streams`: C, >= 1.
  SegmentGrid(int64_t segment_ns, int64_t hop_ns, int32_t rate, int64_t streams = 1);

  int64_t length() const { return length_; }    // L, source samples, at least 1
  int64_t streams() const { return streams_; }  // C
  int64_t Place(int64_t s) const { return s / streams_; }
  int64_t Channel(int64_t s) const { return s % streams_; }  // from 0
  int64_t Places(int64_t samples) const;  // segments of each channel; 0 for an empty file
  // The rest speaks of segments by their number, or of all of them. None is beyond 63 bits.
  int64_t Start(int64_t s) const;                   // first source sample of segment s
  int64_t Count(int64_t samples) const;             // segments of a file
  int64_t StartMs(int64_t s) const;                 // Start(s) in milliseconds, rounded
  int64_t EndMs(int64_t s, int64_t samples) const;  // min(Start(s) + L, N), rounded
  int64_t SampleToMs(int64_t sample) const;

 private:
  int64_t hop_ns_;
  int32_t rate_;
  int64_t length_;
  int64_t streams_;
};

// round(duration * rate) for a duration in nanoseconds, half away from zero.
int64_t RoundSamples(int64_t ns, int64_t rate);

}  // namespace consort
