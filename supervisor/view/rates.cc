#include "supervisor/view/rates.h"

#include <algorithm>

namespace consort {
namespace {

constexpr int64_t kLeastStepNs = 100'000'000;  // between two points: bounds how many are kept

}  // namespace

void Rates::Add(const JobView& view, int64_t now_ns) {
  if (!first_files_done_) {
    first_files_done_ = view.files_done;
    first_ns_ = now_ns;
  }
  if (points_.empty() || now_ns - points_.back().at_ns >= kLeastStepNs) {
    points_.push_back({now_ns, view.segments_done, view.audio_seconds});
  }
  while (points_.size() > 1 && now_ns - points_[1].at_ns >= kWindowNs) points_.pop_front();

  const Point& from = points_.front();
  if (now_ns > from.at_ns) {
    const double seconds = static_cast<double>(now_ns - from.at_ns) * 1e-9;
    // Segments behind a fault are taken back, so there may be fewer than there were.
    const auto done = static_cast<int64_t>(view.segments_done - from.segments);
    segments_per_s_ = static_cast<double>(std::max<int64_t>(0, done)) / seconds;
    times_real_time_ = std::max(0.0, view.audio_seconds - from.audio_seconds) / seconds;
  }
  if (view.files_done > *first_files_done_ && view.files_total >= view.files_done) {
    const double per_file = static_cast<double>(now_ns - first_ns_) * 1e-9 /
                            static_cast<double>(view.files_done - *first_files_done_);
    seconds_left_ = per_file * static_cast<double>(view.files_total - view.files_done);
  }
}

}  // namespace consort
