#include "supervisor/job/slot_trace.h"

#include <cstdio>

#include "shared/base/clock.h"

namespace consort {

void SlotTrace::Ready(const Worker& worker) {
  if (!say_) return;
  silent_.insert(worker.id());
  Tell(worker, "ready");
}

void SlotTrace::Gone(const Worker& worker) {
  if (!say_) return;
  silent_.erase(worker.id());
  Tell(worker, "reaped");
}

void SlotTrace::Tell(const Worker& worker, const char* what) const {
  char line[128];
  std::snprintf(line, sizeof(line), "slot %zu: worker %d %s at %.6f", worker.slot(), worker.pid(),
                what, static_cast<double>(MonotonicNs()) * 1e-9);
  say_(line);
}

}  // namespace consort
