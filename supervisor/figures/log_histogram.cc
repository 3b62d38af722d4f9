#include "supervisor/figures/log_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace consort {

// The seven leading bits choose the bin, the bits that are left out choose the power.
size_t LogHistogram::BinOf(uint64_t value) {
  const int width = static_cast<int>(std::bit_width(value));
  const int left_out = std::max(0, width - kBits - 1);
  return (static_cast<size_t>(left_out) << kBits) + static_cast<size_t>(value >> left_out);
}

double LogHistogram::MiddleOf(size_t bin) {
  const size_t left_out = bin < 2 * kAPower ? 0 : bin / kAPower - 1;
  const auto first = static_cast<double>((bin - (left_out << kBits)) << left_out);
  return first + static_cast<double>((uint64_t{1} << left_out) - 1) / 2;
}

void LogHistogram::Add(int64_t value) {
  value = std::clamp<int64_t>(value, 0, kMost);
  ++bins_[BinOf(static_cast<uint64_t>(value))];
  ++count_;
  sum_ += static_cast<double>(value);
  most_ = std::max(most_, value);
}

double LogHistogram::Quantile(double share) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  uint64_t passed = 0;
  for (size_t bin = 0; bin < kBins; ++bin) {
    passed += bins_[bin];
    if (passed >= rank) return std::min(MiddleOf(bin), static_cast<double>(most_));
  }
  return static_cast<double>(most_);
}

}  // namespace consort
