// SIGINT, SIGTERM and SIGHUP as something to wait for, while children are to be ended in order.
#pragma once

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class Signals {
 public:
  // From here on they end nobody; those that the caller had ignored stay ignored.
  static Result<Signals> Watch();

  int fd() const { return fd_.get(); }  // readable once one came
  // The one that came, or 0.
  int Take();

 private:
  UniqueFd fd_;
};

}  // namespace consort
