// A number of workers that was tried while a job ran, and what was found.
#pragma once

#include <optional>

namespace consort {

struct TriedCount {
  int workers = 0;
  int windows = 0;             // of its own that count
  std::optional<double> gain;  // in segments/s over the start: 0.08 is 8 % more
  double error = 0;            // the gain's standard error
};

}  // namespace consort
