// How evenly work went on over a window: its amount in short slices of time, in constant memory.
//
// A segment's work is spread over the time that it took, so that a slice's amount does not jump by
// a whole segment whose end fell on this or that side of its edge. Slices are 100 ms long at first;
// when there are too many, neighbours become one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace consort {

class WorkSlices {
 public:
  static constexpr size_t kMostKept = 2048;

  explicit WorkSlices(int64_t from_ns) : from_ns_(from_ns) {}

  // What was done evenly from began_ns to ended_ns; only the part behind the window's beginning
  // counts.
  void Add(int64_t began_ns, int64_t ended_ns, double amount);

  // The standard error of the mean rate from the window's beginning to to_ns, relative to it, by
  // the rates of `count` equal parts of that time; nullopt: fewer than 2 parts, or nothing done.
  std::optional<double> Spread(int64_t to_ns, size_t count) const;

 private:
  double DoneUntil(int64_t ns) const;

  int64_t from_ns_;
  int64_t width_ns_ = 100'000'000;
  std::vector<double> amounts_;
};

}  // namespace consort
