// Where tests let the worker come to grief: each stage that an engine enters is a fault point.
//
// These functions are defined by test builds of the worker alone (worker/fault/, linked into
// consort-worker-null and consort-worker-faults). In the shipped worker nobody defines them, their
// addresses are null, and nothing is left of it all but a test of that.
#pragma once

#include <cstdint>
#include <string_view>

#include "shared/channel/stage.h"

namespace consort {

struct FaultPlace {
  Stage stage = Stage::kWaiting;
  std::string_view path;  // of the file in hand; empty: none
  int64_t first = 0;      // segments at work: first <= … < end, several in a batch's forward
  int64_t end = 0;
};

// On an engine's thread. May not return.
[[gnu::weak]] void AtFaultPoint(const FaultPlace& place);
// Does this process's environment ask for any?
[[gnu::weak]] bool FaultsAreAsked();

}  // namespace consort
