// What a job tells when it has ended: a few aligned lines for a person.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "shared/channel/stage.h"
#include "shared/record/error_code.h"

namespace consort {

struct JobSummary {
  uint64_t files_total = 0;
  uint64_t files_done = 0;                     // without an error line
  std::map<ErrorCode, uint64_t> files_failed;  // by reason
  uint64_t segments = 0;
  double audio_seconds = 0;  // of the segments done
  double elapsed_s = 0;
  int workers = 0;
  int engines = 0;                              // of each worker
  std::array<int64_t, kStageCount> stage_ns{};  // of all engines together
  struct Restarts {
    uint64_t crashed = 0;   // ended by itself: a fault, an exit
    uint64_t killed = 0;    // SIGKILL
    uint64_t replaced = 0;  // for their memory, once they had finished their tasks
  };
  Restarts workers_restarted;
  Restarts templates_restarted;
  struct LostWakeUps {
    uint64_t by_supervisor = 0;
    uint64_t by_engines = 0;
  };
  std::optional<LostWakeUps> lost_wakeups;  // nullopt: nobody asked
  int64_t peak_pss_bytes = 0;               // of the whole tree; 0: never sampled
};

// Ends in a newline.
std::string FormatSummary(const JobSummary& summary);

}  // namespace consort
