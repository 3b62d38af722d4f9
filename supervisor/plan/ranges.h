// A set of numbers kept as ranges; for the segments of one file that have been accounted for.
#pragma once

#include <cstdint>
#include <iterator>
#include <map>

namespace consort {

class RangeSet {
 public:
  // False if it was in already.
  bool Add(uint64_t number) {
    auto next = ranges_.upper_bound(number);
    if (next != ranges_.begin()) {
      auto before = std::prev(next);
      if (number < before->second) return false;
      if (number == before->second) {
        before->second = number + 1;
        if (next != ranges_.end() && next->first == number + 1) {
          before->second = next->second;
          ranges_.erase(next);
        }
        return true;
      }
    }
    if (next != ranges_.end() && next->first == number + 1) {
      const uint64_t end = next->second;
      ranges_.erase(next);
      ranges_[number] = end;
    } else {
      ranges_[number] = number + 1;
    }
    return true;
  }

  // All of [first, end); what is in already stays in.
  void AddRange(uint64_t first, uint64_t end) {
    if (first >= end) return;
    auto at = ranges_.upper_bound(first);
    if (at != ranges_.begin() && std::prev(at)->second >= first) {
      --at;
      first = at->first;
    }
    while (at != ranges_.end() && at->first <= end) {
      end = at->second > end ? at->second : end;
      at = ranges_.erase(at);
    }
    ranges_[first] = end;
  }

  bool Contains(uint64_t number) const {
    const auto next = ranges_.upper_bound(number);
    return next != ranges_.begin() && number < std::prev(next)->second;
  }
  uint64_t Count() const {
    uint64_t count = 0;
    for (const auto& [first, end] : ranges_) count += end - first;
    return count;
  }
  // first -> one past the last, in order; apart from each other.
  const std::map<uint64_t, uint64_t>& ranges() const { return ranges_; }

  // The first number, from 0, that is not in.
  uint64_t FirstMissing() const {
    return ranges_.empty() || ranges_.begin()->first != 0 ? 0 : ranges_.begin()->second;
  }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // first -> one past the last
};

}  // namespace consort
