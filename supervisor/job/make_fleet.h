// From the machine as it is now to a fleet ready to start: CPUs and memory chosen, weights in their
// arenas.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/job/plan_fleet.h"
#include "supervisor/place/cpu_load.h"
#include "supervisor/place/machine.h"

namespace consort {

class FleetMaker {
 public:
  using Warn = std::function<void(const std::string&)>;

  // Reads the machine, and how busy it is now: best some time before Make, which looks again.
  static Result<FleetMaker> Look();

  const Machine& machine() const { return machine_; }

  // May be called again: the arenas are filled once. They live as long as this, and the fleet
  // refers to them.
  Result<JobFleet> Make(const RunOptions& options, const Bundle& bundle, const Warn& warn);

 private:
  FleetMaker() = default;
  // How busy CPUs are, where a quota leaves a choice of them.
  std::map<int, double> BusyNow() const;
  // One for each place; none if the bundle has no weights.
  Status FillArenas(const Bundle& bundle, const Placement& placement, const Warn& warn);

  Machine machine_;
  AllCpuTimes times_;
  int64_t looked_ns_ = 0;
  std::optional<Placement> placement_;
  std::vector<UniqueFd> arenas_;
  UniqueFd tags_;  // of a run that chooses other tags than the bundle
};

}  // namespace consort
