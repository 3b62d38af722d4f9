// Where the frames of a model's answer lie in a file, and which segment each frame is taken from.
//
// A model that answers in frames gives T of them for a segment, one every `frame` nanoseconds; a
// hop is F of them. Frame i of segment k is frame k * F + i of the file. Where segments overlap, a
// frame is taken from the segment in whose middle it lies: d = (T - F) / 2 frames, rounded down,
// are dropped at a segment's beginning, and the rest of T - F at its end; nothing is dropped at the
// file's two ends. That is chunking with strides, as transformers' pipelines do it.
//
// All of it is said of one channel: where channels are heard one by one each counts its own frames,
// and a segment's number is its place (SegmentGrid::Place).
#pragma once

#include <cstdint>

namespace consort {

class FrameGrid {
 public:
  // A stretch of the file's frames.
  struct Part {
    int64_t first = 0;
    int64_t end = 0;  // one past its last
    int64_t count() const { return end - first; }
  };

  // Both > 0; hop_ns is a whole number of frames (IsWhole).
  FrameGrid(int64_t hop_ns, int64_t frame_ns);

  // Whether the hop is a whole number of frames, as far as nanoseconds tell: a frame of 256 / 22050
  // s is none of them.
  static bool IsWhole(int64_t hop_ns, int64_t frame_ns);
  // The whole number of frames that is nearest to the hop, at least 1.
  static int64_t Nearest(int64_t hop_ns, int64_t frame_ns);

  int64_t per_hop() const { return per_hop_; }  // F
  int64_t StartNs(int64_t frame) const;         // (frame / F) hops and (frame % F) frames
  // Frames of a file of `samples` at `rate` Hz: those that begin before its end.
  int64_t Count(int64_t samples, int32_t rate) const;
  // The frames that are taken from segment k, one of `segments` that the file has, if a segment has
  // `frames` (T), and the file `file_frames` (Count). A segment with less than F frames is to be
  // thought of as having its last one again and again.
  Part Own(int64_t k, int64_t segments, int64_t frames, int64_t file_frames) const;

 private:
  int64_t hop_ns_;
  int64_t frame_ns_;
  int64_t per_hop_;
};

// samples / rate, rounded to the nanosecond, half away from zero. At most 2^62.
int64_t SamplesToNs(int64_t samples, int32_t rate);
// To the millisecond, half away from zero; ns >= 0.
int64_t NsToMs(int64_t ns);

}  // namespace consort
