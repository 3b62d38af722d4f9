// How fast the job goes just now, and when it may end.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "supervisor/view/status_line.h"

namespace consort {

class Rates {
 public:
  // "Just now" is at least this long.
  static constexpr int64_t kWindowNs = 5'000'000'000;

  void Add(const JobView& view, int64_t now_ns);

  double segments_per_s() const { return segments_per_s_; }
  double times_real_time() const { return times_real_time_; }
  // By the files done since the first view: a guess where lengths differ much.
  std::optional<double> seconds_left() const { return seconds_left_; }

 private:
  struct Point {
    int64_t at_ns;
    uint64_t segments;
    double audio_seconds;
  };
  std::deque<Point> points_;
  std::optional<uint64_t> first_files_done_;
  int64_t first_ns_ = 0;
  double segments_per_s_ = 0;
  double times_real_time_ = 0;
  std::optional<double> seconds_left_;
};

}  // namespace consort
