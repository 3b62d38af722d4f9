#include "supervisor/figures/work_slices.h"

#include <algorithm>
#include <cmath>

namespace consort {

void WorkSlices::Add(int64_t began_ns, int64_t ended_ns, double amount) {
  if (ended_ns < from_ns_) return;
  const int64_t length_ns = ended_ns - began_ns;
  const int64_t begin = std::max(began_ns, from_ns_) - from_ns_;
  const int64_t end = ended_ns - from_ns_;
  while (static_cast<size_t>(end / width_ns_) >= kMostKept) {
    for (size_t i = 0; i < amounts_.size(); ++i) {
      const double amount_there = amounts_[i];
      amounts_[i] = 0;
      amounts_[i / 2] += amount_there;
    }
    amounts_.resize((amounts_.size() + 1) / 2);
    width_ns_ *= 2;
  }
  const auto last = static_cast<size_t>(end / width_ns_);
  if (amounts_.size() <= last) amounts_.resize(last + 1);
  if (length_ns <= 0) {
    amounts_[last] += amount;
    return;
  }
  const double a_ns = amount / static_cast<double>(length_ns);
  for (auto slice = static_cast<size_t>(begin / width_ns_); slice <= last; ++slice) {
    const auto at = static_cast<int64_t>(slice) * width_ns_;
    const int64_t overlap = std::min(end, at + width_ns_) - std::max(begin, at);
    amounts_[slice] += a_ns * static_cast<double>(overlap);
  }
}

double WorkSlices::DoneUntil(int64_t ns) const {
  double done = 0;
  for (size_t slice = 0; slice < amounts_.size(); ++slice) {
    const int64_t at = from_ns_ + static_cast<int64_t>(slice) * width_ns_;
    if (at >= ns) break;
    done += amounts_[slice] *
            std::min(1.0, static_cast<double>(ns - at) / static_cast<double>(width_ns_));
  }
  return done;
}

std::optional<double> WorkSlices::Spread(int64_t to_ns, size_t count) const {
  if (count < 2 || to_ns <= from_ns_) return std::nullopt;
  // The last slice is not whole yet.
  if (to_ns - from_ns_ > width_ns_) to_ns -= (to_ns - from_ns_) % width_ns_;
  const double length = static_cast<double>(to_ns - from_ns_) / static_cast<double>(count);
  double sum = 0;
  double squares = 0;
  double before = 0;
  for (size_t part = 1; part <= count; ++part) {
    const auto end = from_ns_ + std::llround(length * static_cast<double>(part));
    const double done = DoneUntil(end);
    sum += done - before;
    squares += (done - before) * (done - before);
    before = done;
  }
  const auto n = static_cast<double>(count);
  const double mean = sum / n;
  if (!(mean > 0)) return std::nullopt;
  const double variance = std::max(0.0, (squares - n * mean * mean) / (n - 1));
  return std::sqrt(variance / n) / mean;
}

}  // namespace consort
