// A block of numbers, zero at first, that begins on a cache line: what a RealFft takes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace consort {

template <typename Real>
class Aligned {
 public:
  explicit Aligned(size_t size) : size_(size), lines_((size + kInALine - 1) / kInALine) {}

  std::span<Real> span() { return {lines_.empty() ? nullptr : lines_.front().numbers, size_}; }

 private:
  static constexpr size_t kInALine = 64 / sizeof(Real);
  struct alignas(64) Line {
    Real numbers[kInALine] = {};
  };

  size_t size_;
  std::vector<Line> lines_;
};

}  // namespace consort
