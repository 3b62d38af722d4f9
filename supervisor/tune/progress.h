// How a search shows itself on standard error: a line a trial, or one line redrawn on a terminal.
#pragma once

#include <string>

#include "supervisor/tune/report.h"

namespace consort {

class TuneProgress {
 public:
  explicit TuneProgress(const TuneOptions& options);
  TuneProgress(const TuneProgress&) = delete;
  TuneProgress& operator=(const TuneProgress&) = delete;
  ~TuneProgress();

  // A trial begins; `left_s` is left of the time for everything.
  void Begin(const std::string& split, int number, double left_s);
  // It ended so: "141 segments/s, p95 14.2 ms, 310 MiB".
  void End(const std::string& result);
  // For a person, whatever is shown.
  void Message(const std::string& line);

 private:
  void Clear();

  enum class Style { kBar, kPlain, kNone } style_;
  std::string begun_;  // words of the trial under way
  bool drawn_ = false;
};

}  // namespace consort
