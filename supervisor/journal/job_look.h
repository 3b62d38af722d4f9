// What a job's journal says of its results, for whoever reads them. Takes no lock: the job may be
// at work.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace consort {

struct JobLook {
  std::string folder;
  std::string results;      // path
  uint64_t bytes = 0;       // of the results that count; they end with a line
  uint64_t entries = 0;     // of the list
  uint64_t files_done = 0;  // failed ones included
  bool finished = false;
  pid_t pid = 0;  // of the supervisor at work
};

// The folder of the job that is named by its folder or by its results; empty: there is none.
std::string FolderOfJob(const std::string& path);

// `path` as above.
Result<JobLook> LookAtJob(const std::string& path);

}  // namespace consort
