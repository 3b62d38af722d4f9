// When one engine's results came, and which of them came together: those of one forward.
#pragma once

#include <algorithm>
#include <cstdint>

namespace consort {

class ResultBursts {
 public:
  struct Result {
    int64_t at_ns = 0;
    bool begins = true;  // it is of another forward than the one before
  };

  // Nothing is believed to have come before `from_ns`.
  explicit ResultBursts(int64_t from_ns = 0) : last_ns_(from_ns) {}

  // In their order. `batch`: segments of one forward. `published_ns` is by the engine's clock,
  // which is ours, so that it does not matter when we come to look; believed as far as it can be
  // true: not before the one before, and not after `now_ns`.
  Result Next(uint64_t file, uint64_t segment, int64_t published_ns, uint64_t batch,
              int64_t now_ns) {
    last_ns_ = std::clamp(published_ns, std::min(last_ns_, now_ns), now_ns);
    const uint64_t group = segment / batch;
    const bool goes_on = batch > 1 && file_ == file && group_ == group;
    file_ = file;
    group_ = group;
    return {.at_ns = last_ns_, .begins = !goes_on};
  }

 private:
  int64_t last_ns_;
  uint64_t file_ = UINT64_MAX;
  uint64_t group_ = 0;
};

}  // namespace consort
