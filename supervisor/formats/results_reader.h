// The lines of results, one after the other. Memory is that of the longest line.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "supervisor/formats/result_line.h"

namespace consort {

class ResultsReader {
 public:
  // A line that is longer is none of ours.
  static constexpr size_t kLongestLine = 64 * 1024 * 1024;

  // Reads the first `bytes` of the file, which end with a line.
  static Result<ResultsReader> Open(const std::string& path, uint64_t bytes);

  // False: there is none any more. An error names the file, and the line by its number from 1.
  Result<bool> Next(ResultLine& line);

 private:
  ResultsReader() = default;
  Result<bool> Fill();
  Error Bad(const std::string& why) const;

  std::string path_;
  UniqueFd fd_;
  uint64_t to_read_ = 0;
  std::string buffer_;
  size_t at_ = 0;    // the next line begins here
  size_t seen_ = 0;  // no line feed between at_ and here
  uint64_t number_ = 0;
};

}  // namespace consort
