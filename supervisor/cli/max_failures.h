// --max-failures: how many files may fail before a job is not worth going on with.
#pragma once

#include <cstdint>
#include <string>

namespace consort {

struct MaxFailures {
  // A share says nothing before so many files have ended.
  static constexpr uint64_t kEnoughFiles = 100;

  double limit = 0;  // files, or percent of those that have ended
  bool percent = false;
  std::string text = {};  // as given: "20", "0.5%"

  // `failed` of `ended` files: more than may.
  bool Passed(uint64_t failed, uint64_t ended) const {
    const auto count = static_cast<double>(failed);
    if (!percent) return count > limit;
    return ended >= kEnoughFiles && 100 * count > limit * static_cast<double>(ended);
  }
};

}  // namespace consort
