// Where in the results one recording ends and the next begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "supervisor/formats/result_line.h"

namespace consort {

// A recording's lines are together, in order of time. A recording that is listed twice has its
// lines twice: the second time begins where the time does not go on.
class Recordings {
 public:
  // To be told of each line in turn. True: it is the first of a recording.
  bool Begins(const ResultLine& line);

 private:
  bool any_ = false;
  std::string name_;
  std::optional<int64_t> place_ms_;  // of the last interval, or of a crash in one's place
  bool ended_ = false;               // by an error that is a recording's last line
};

}  // namespace consort
