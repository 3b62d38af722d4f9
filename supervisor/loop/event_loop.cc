#include "supervisor/loop/event_loop.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>

namespace consort {

Result<EventLoop> EventLoop::Make() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return SystemError("make an event loop", "", errno);
  return EventLoop(std::move(epoll));
}

Status EventLoop::Add(int fd, Handler handler) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = next_;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return SystemError("watch a descriptor", "", errno);
  }
  numbers_[fd] = next_;
  handlers_[next_++] = std::make_shared<Handler>(std::move(handler));
  return Ok();
}

void EventLoop::Remove(int fd) {
  const auto number = numbers_.find(fd);
  if (number == numbers_.end()) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  handlers_.erase(number->second);
  numbers_.erase(number);
}

Result<bool> EventLoop::Wait(int timeout_ms) {
  std::array<epoll_event, 64> events{};
  const int count =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (count < 0) {
    if (errno == EINTR) return false;
    return SystemError("wait for events", "", errno);
  }
  for (int i = 0; i < count; ++i) {
    const auto found = handlers_.find(events[static_cast<size_t>(i)].data.u64);
    if (found == handlers_.end()) continue;  // removed by an earlier handler of this round
    const auto handler = found->second;      // keeps it alive while it removes itself
    (*handler)();
  }
  return count > 0;
}

}  // namespace consort
