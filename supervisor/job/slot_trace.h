// For -vv: when each slot's worker became ready, gave its first result, and was reaped.
//
//   slot 1: worker 4711 ready at 1234.567890
//   slot 1: worker 4711 first result at 1234.598012
//   slot 1: worker 4711 reaped at 1301.000044
//
// Times are seconds of CLOCK_MONOTONIC, so that whoever sent a kill can tell how long it took until
// the slot's next result (tools/bench deaths). Costs one comparison a record when it is off.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "supervisor/fleet/fleet.h"

namespace consort {

class SlotTrace {
 public:
  using Say = std::function<void(const std::string&)>;
  // An empty `say`: off.
  explicit SlotTrace(Say say) : say_(std::move(say)) {}

  void Ready(const Worker& worker);
  void Result(const Worker& worker) {
    if (!silent_.empty() && silent_.erase(worker.id()) > 0) Tell(worker, "first result");
  }
  void Gone(const Worker& worker);

 private:
  void Tell(const Worker& worker, const char* what) const;

  Say say_;
  std::set<uint64_t> silent_;  // workers that gave no result yet
};

}  // namespace consort
