#include "supervisor/job/progress_style.h"

namespace consort {

ProgressStyle StyleOf(bool quiet, RunOptions::Progress progress, bool results_to_standard_output) {
  if (quiet) return ProgressStyle::kNone;
  switch (progress) {
    case RunOptions::Progress::kBar:
      return ProgressStyle::kBar;
    case RunOptions::Progress::kPlain:
      return ProgressStyle::kPlain;
    case RunOptions::Progress::kNone:
      return ProgressStyle::kNone;
    case RunOptions::Progress::kAuto:
      break;
  }
  return AutoProgressStyle(results_to_standard_output);
}

}  // namespace consort
