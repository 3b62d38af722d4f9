// Where in the results one recording ends and the next begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "supervisor/formats/result_line.h"

namespace consort {

// A recording's lines are together, in order of time and, at one time, of channels. A recording
// that is listed twice has its lines twice: the second time begins where that order does not go on.
class Recordings {
 public:
  // To be told of each line in turn. True: it is the first of a recording.
  bool Begins(const ResultLine& line);

 private:
  // What the recording has so far goes past the place that begins at `at_ms`: the time of its last
  // line is later, or it is that of the last channel there. (Until its second place nobody knows
  // which one that is.)
  bool IsBehind(int64_t at_ms) const;

  bool any_ = false;
  std::string name_;
  // Time and channel of the last interval, or of a crash in one's place.
  std::optional<std::pair<int64_t, int64_t>> place_;
  int64_t channels_ = 0;  // of the recording, once its second place began; else 0
  bool ended_ = false;    // by an error that is a recording's last line
};

}  // namespace consort
