// What all files of a list are together. Memory does not grow with the list: of what may be of any
// number of kinds the first hundred are told apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/check/checked_file.h"

namespace consort {

// How often each value was seen.
template <typename Value>
struct Tally {
  static constexpr size_t kMostValues = 100;

  std::map<Value, uint64_t> seen;
  uint64_t others = 0;  // of values that were one too many

  void Add(const Value& value) {
    const auto found = seen.find(value);
    if (found != seen.end()) {
      ++found->second;
    } else if (seen.size() < kMostValues) {
      seen.emplace(value, 1);
    } else {
      ++others;
    }
  }
};

class CheckTotals {
 public:
  static constexpr size_t kExamples = 3;

  struct Example {
    std::string name;  // escaped for JSON
    std::string message;
  };
  struct Failure {
    uint64_t files = 0;
    std::vector<Example> first;  // kExamples at most
  };
  struct Extreme {
    std::string name;
    double seconds = 0;
  };

  // All are a bundle's; 0: there is none. `each_channel`: segments are those of every channel.
  CheckTotals(int64_t segment_ns, int64_t hop_ns, bool each_channel = false)
      : segment_ns_(segment_ns), hop_ns_(hop_ns), each_channel_(each_channel) {}

  // In order of the list.
  void Add(const CheckedFile& file);

  uint64_t files() const { return files_; }
  uint64_t fine() const { return files_ - failed_files_; }
  uint64_t failed_files() const { return failed_files_; }
  const std::map<ErrorCode, Failure>& failures() const { return failures_; }
  // The rest is of files that are fine.
  double seconds() const { return seconds_; }
  uint64_t segments() const { return segments_; }  // 0 without a bundle
  uint64_t unfinished() const { return unfinished_; }
  const std::optional<Extreme>& shortest() const { return shortest_; }
  const std::optional<Extreme>& longest() const { return longest_; }
  const Tally<std::string>& containers() const { return containers_; }
  const Tally<int32_t>& rates() const { return rates_; }
  const Tally<int32_t>& channels() const { return channels_; }

 private:
  int64_t segment_ns_;
  int64_t hop_ns_;
  bool each_channel_;
  uint64_t files_ = 0;
  uint64_t failed_files_ = 0;
  std::map<ErrorCode, Failure> failures_;
  double seconds_ = 0;
  uint64_t segments_ = 0;
  uint64_t unfinished_ = 0;
  std::optional<Extreme> shortest_;
  std::optional<Extreme> longest_;
  Tally<std::string> containers_;
  Tally<int32_t> rates_;
  Tally<int32_t> channels_;
};

}  // namespace consort
