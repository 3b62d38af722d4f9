// Writes an engine's stack to standard error when the supervisor asks for it, because the engine
// hangs and is about to be killed (shared/channel/dump_request.h has the other side).
//
// The handler runs in the engine's own thread, wherever that hangs: it allocates nothing and takes
// no lock of ours. Names come from the dynamic symbols; an address without one is for addr2line.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "shared/base/unique_fd.h"
#include "shared/channel/channel.h"

namespace consort {

// Before a template forks: what the first stack dump of a process loads is then there in all.
void PrepareStackDumps();

class StackDumps {
 public:
  // In the worker's main thread, with requests blocked in all threads (dump_request.h). `channel`
  // must outlive this, and there is one of this in a process.
  explicit StackDumps(Channel& channel);

  // From each engine's thread.
  void IAm(uint32_t engine);

  // Readable when the supervisor asks; -1: it cannot be heard.
  int fd() const { return requests_.get(); }
  void Answer();

 private:
  Channel& channel_;
  UniqueFd requests_;
  std::vector<std::atomic<pid_t>> threads_;  // by engine; 0: not running yet
};

}  // namespace consort
