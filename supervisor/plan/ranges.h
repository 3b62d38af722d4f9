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

  // The first number, from 0, that is not in.
  uint64_t FirstMissing() const {
    return ranges_.empty() || ranges_.begin()->first != 0 ? 0 : ranges_.begin()->second;
  }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // first -> one past the last
};

}  // namespace consort
