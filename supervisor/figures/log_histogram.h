// How durations are spread, in constant memory: whatever their number, some 23 KiB.
//
// Bins grow with what they hold: 64 for each power of two, so that one is at most 1/64 of its
// values wide, and its middle is within 0.8 % of each of them. Below 128 ns every value has its
// own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace consort {

class LogHistogram {
 public:
  static constexpr int64_t kMost = int64_t{1} << 50;  // 13 days; what is longer counts as that

  // Negative values count as 0.
  void Add(int64_t value);

  uint64_t count() const { return count_; }
  // Exact. 0 of none.
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  int64_t most() const { return most_; }
  // The least value that is no less than this share of all of them; 0 of none.
  double Quantile(double share) const;

 private:
  static constexpr int kBits = 6;
  static constexpr size_t kAPower = size_t{1} << kBits;
  static constexpr size_t kBins = kAPower * (50 - kBits) + 2 * kAPower;

  static size_t BinOf(uint64_t value);
  static double MiddleOf(size_t bin);

  std::array<uint64_t, kBins> bins_{};
  uint64_t count_ = 0;
  double sum_ = 0;
  int64_t most_ = 0;
};

}  // namespace consort
