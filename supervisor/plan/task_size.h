// How much work a task holds: one to two seconds of it, less towards the end of the list.
//
// What a segment costs, and how many a file has, is learnt as the job goes.
#pragma once

#include <algorithm>
#include <cstdint>

namespace consort {

class TaskSize {
 public:
  static constexpr int64_t kTargetNs = 1'500'000'000;
  // An engine ends a task early after this time, so that one wrong estimate costs little.
  static constexpr int64_t kSliceNs = 2'000'000'000;
  // Later where a file is decoded in one pass: what is left over would have to be decoded up to
  // again, by an engine that has gone on meanwhile.
  static constexpr int64_t kOnePassSliceNs = 10'000'000'000;
  static constexpr uint64_t kMostSegments = 4096;
  static constexpr size_t kMostItems = 256;   // short files; the record's size bounds them, too
  static constexpr uint64_t kFirstGuess = 4;  // segments in a task before anything is known

  void TaskEnded(int64_t busy_ns, uint64_t segments) {
    if (segments == 0) return;
    const double ns = static_cast<double>(busy_ns) / static_cast<double>(segments);
    segment_ns_ = segment_ns_ == 0 ? ns : 0.8 * segment_ns_ + 0.2 * ns;
  }
  void FileKnown(uint64_t segments) {
    ++files_;
    segments_ += segments;
  }

  double segment_ns() const { return segment_ns_; }
  double segments_per_file() const {
    return files_ == 0
               ? 1.0
               : std::max(1.0, static_cast<double>(segments_) / static_cast<double>(files_));
  }

  // Segments for the next task. `left`: segments that nobody has been given, as far as is known or
  // can be guessed. The last ones are shared out so that all engines end at about the same time.
  uint64_t Next(double left, uint64_t engines) const {
    double size = kFirstGuess;
    if (segment_ns_ > 0) size = static_cast<double>(kTargetNs) / segment_ns_;
    size = std::min(size, left / (3.0 * static_cast<double>(std::max<uint64_t>(1, engines))));
    return static_cast<uint64_t>(std::clamp(size, 1.0, static_cast<double>(kMostSegments)));
  }

 private:
  double segment_ns_ = 0;
  uint64_t files_ = 0;
  uint64_t segments_ = 0;
};

}  // namespace consort
