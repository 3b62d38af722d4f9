#include "shared/channel/template_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace consort {
namespace {

constexpr size_t kMaxFds = 4;

}  // namespace

void TemplateMessage::SetText(const std::string& value) {
  const size_t size = std::min(value.size(), sizeof(text) - 1);
  std::memcpy(text, value.data(), size);
  text[size] = '\0';
}

Status SendMessage(int socket, const TemplateMessage& message, const std::vector<int>& fds,
                   bool wait) {
  if (fds.size() > kMaxFds) return Error{"too many descriptors for one message"};
  iovec data{const_cast<TemplateMessage*>(&message), sizeof(message)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  if (!fds.empty()) {
    const size_t bytes = fds.size() * sizeof(int);
    packet.msg_control = control;
    packet.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* head = CMSG_FIRSTHDR(&packet);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(head), fds.data(), bytes);
  }
  while (sendmsg(socket, &packet, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)) < 0) {
    if (errno != EINTR) return SystemError("send to the other process", "", errno);
  }
  return Ok();
}

Result<std::optional<ReceivedMessage>> ReceiveMessage(int socket, bool wait, bool& closed) {
  closed = false;
  ReceivedMessage received;
  iovec data{&received.message, sizeof(received.message)};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr packet{};
  packet.msg_iov = &data;
  packet.msg_iovlen = 1;
  packet.msg_control = control;
  packet.msg_controllen = sizeof(control);
  ssize_t size = 0;
  do {
    size = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  } while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return std::optional<ReceivedMessage>();
  if (size == 0 || (size < 0 && errno == ECONNRESET)) {
    closed = true;
    return std::optional<ReceivedMessage>();
  }
  if (size < 0) return SystemError("receive from the other process", "", errno);
  for (cmsghdr* head = CMSG_FIRSTHDR(&packet); head != nullptr; head = CMSG_NXTHDR(&packet, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
      received.fds.emplace_back(fd);
    }
  }
  if (size != static_cast<ssize_t>(sizeof(TemplateMessage)) ||
      received.message.version != kTemplateLinkVersion) {
    return Error{"a message of another version of consort",
                 "install consort and consort-worker of one build"};
  }
  received.message.text[sizeof(received.message.text) - 1] = '\0';
  return std::optional<ReceivedMessage>(std::move(received));
}

}  // namespace consort
