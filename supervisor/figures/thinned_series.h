// A value over time with at most some 2,000 points: when there are more, every second one goes, and
// points are kept half as often from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace consort {

class ThinnedSeries {
 public:
  static constexpr size_t kMost = 2000;

  struct Point {
    int64_t at_ns;
    int64_t value;
  };

  // In order of time.
  void Add(int64_t at_ns, int64_t value) {
    if (points_.empty() || at_ns >= points_.back().at_ns + pause_ns_) AddAnyway(at_ns, value);
  }
  // One that matters: the last.
  void AddAnyway(int64_t at_ns, int64_t value) {
    points_.push_back({at_ns, value});
    if (points_.size() < kMost) return;
    size_t kept = 0;
    for (size_t i = 0; i < points_.size(); i += 2) points_[kept++] = points_[i];
    points_.resize(kept);
    // Nine tenths: points come at no exact times.
    const int64_t mean_ns =
        (points_.back().at_ns - points_.front().at_ns) / static_cast<int64_t>(kept);
    pause_ns_ = mean_ns / 10 * 9;
  }

  const std::vector<Point>& points() const { return points_; }

 private:
  std::vector<Point> points_;
  int64_t pause_ns_ = 0;
};

}  // namespace consort
