// One thread, one wait: descriptors with what to do when they are readable.
//
// A handler may add and remove descriptors, its own too. What a handler does is short: nothing
// here may block but Wait.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

class EventLoop {
 public:
  using Handler = std::function<void()>;

  static Result<EventLoop> Make();

  // The descriptor stays its owner's; Remove it before it is closed.
  Status Add(int fd, Handler handler);
  void Remove(int fd);

  // Waits up to timeout_ms and runs the handlers of what is ready. False: nothing was.
  Result<bool> Wait(int timeout_ms);

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  UniqueFd epoll_;
  // Watched descriptors have numbers of their own: within one round of events a descriptor may be
  // closed and its number used again, and a stale event must not reach the new one's handler.
  uint64_t next_ = 1;
  std::unordered_map<int, uint64_t> numbers_;
  std::unordered_map<uint64_t, std::shared_ptr<Handler>> handlers_;
};

}  // namespace consort
