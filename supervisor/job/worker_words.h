// Where the words of workers go: all to the job's log, if there is one, and to standard error as
// far as that stays readable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/job/job_log.h"
#include "supervisor/view/line_limit.h"
#include "supervisor/view/status_line.h"

namespace consort {

class WorkerWords {
 public:
  static constexpr uint64_t kShownASecond = 50;

  // `quiet`: what the log has is not shown.
  WorkerWords(Progress& progress, bool quiet)
      : progress_(progress), quiet_(quiet), limit_(kShownASecond) {}

  // Before the first line. Without it there is no log.
  void KeepLog(const std::string& folder);

  void Said(pid_t pid, size_t slot, std::string_view line);
  // Once a turn of the loop: what was said is in the log, what was not shown is told.
  void Flush(int64_t now_ns);
  // Nobody says anything any more.
  void End();

 private:
  void TellHidden(uint64_t lines);

  Progress& progress_;
  bool quiet_;
  LineLimit limit_;
  std::optional<JobLog> log_;
};

}  // namespace consort
