// The faults that a test asks for, by the environment variable CONSORT_FAULT:
//
//   KIND@STAGE:FILE[:SEGMENT][;…]       segv@features:poison-03:2;spin@forward:poison-04
//
//   KIND     segv abort bus   the process ends by that signal
//            exit             … with status 7
//            throw            an exception that nobody expects
//            spin             the engine loops for ever
//            hog              private memory grows by 16 MiB a millisecond, up to 1 GiB; then as
//            spin
//   STAGE    validate read resample features forward post
//   FILE     a part of the path, without colons
//   SEGMENT  its number, in validate the first one that is asked for; without it, any
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "worker/stage/fault_point.h"

namespace consort {

struct FaultOrder {
  std::string kind;
  Stage stage{};
  std::string file;
  int64_t segment = -1;  // any

  bool IsAt(const FaultPlace& place) const;
};

// An order that cannot be read is an error: a test that asks in vain must not pass.
Result<std::vector<FaultOrder>> ParseFaultOrders(std::string_view text);

}  // namespace consort
