// A block of floats, zero at first, that begins on a cache line: what Runner::Forward takes without
// copying it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace consort {

class AlignedFloats {
 public:
  explicit AlignedFloats(size_t size) : size_(size), lines_((size + 15) / 16) {}

  std::span<float> span() { return {lines_.empty() ? nullptr : lines_.front().floats, size_}; }

 private:
  struct alignas(64) Line {
    float floats[16] = {};
  };

  size_t size_;
  std::vector<Line> lines_;
};

}  // namespace consort
