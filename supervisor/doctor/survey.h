// What the doctor looks at. All of it is data, so that tests can make machines up.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"
#include "supervisor/place/cpu_load.h"
#include "supervisor/place/machine.h"
#include "supervisor/place/placement.h"

namespace consort {

struct Survey {
  std::string root;     // before /proc and /sys in all that checks read
  Machine machine;      // what we may use
  Machine used;         // the same, fitted to the quota
  Placement placement;  // what `consort run` would do
  // What it would say of a tuned profile, if there is one for the bundle, and whether it takes its
  // split from there.
  std::vector<std::string> tuned;
  bool uses_tuned = false;
  std::string affinity;  // CPUs of our mask: "0-3"
  AllCpuTimes before;    // two looks, a moment apart
  AllCpuTimes after;
  std::map<std::string, std::string> environment;
  std::string worker;  // path of the worker program
  std::optional<Bundle> bundle;
  bool gives_huge_pages = false;  // for shared memory, when asked: tried
  int64_t memlock_bytes = -1;     // RLIMIT_MEMLOCK; -1: unlimited
  int64_t core_bytes = 0;         // RLIMIT_CORE; -1: unlimited

  // The first line of a file; empty if there is none.
  std::string Line(const std::string& path) const;
  // The number behind `key` in a file of lines `key: 123 kB`, in bytes; -1: not there.
  int64_t Kib(const std::string& path, const std::string& key) const;
  // A variable of the environment; empty if it is not set.
  std::string Variable(const std::string& name) const;
};

// This process, on this machine. `bundle_folder` empty: without. Takes a fifth of a second.
Result<Survey> TakeSurvey(const std::string& bundle_folder);

}  // namespace consort
