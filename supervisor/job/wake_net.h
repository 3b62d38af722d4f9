// The net under the supervisor's sleep flags: results that lie in a ring although nobody was woken
// for them. Whoever publishes wakes the supervisor (shared/ring/ring.h), so there should be none;
// what the net catches is counted, and a test asks for 0 (tools/soak long).
//
// Results that are there at one tick may have been published a moment ago, their wake-up on its
// way. Those that are still there a tick later, with no wake-up in between, were lost.
#pragma once

#include <cstdint>
#include <set>

namespace consort {

class WakeNet {
 public:
  // At a tick, of each worker that nobody is looking at. True: its wake-up is lost, look at it.
  bool Look(uint64_t worker, bool has_results) {
    if (!has_results) {
      lying_.erase(worker);
      return false;
    }
    if (lying_.insert(worker).second) return false;
    lying_.erase(worker);
    ++lost_;
    return true;
  }
  // It was woken for that worker, or the worker is gone.
  void Forget(uint64_t worker) { lying_.erase(worker); }

  uint64_t lost() const { return lost_; }

 private:
  std::set<uint64_t> lying_;  // workers whose results lay there at the last tick
  uint64_t lost_ = 0;
};

}  // namespace consort
