// What the supervisor and a template say to each other: one SOCK_SEQPACKET socket, one fixed
// message a packet, descriptors attached to it.
//
//   supervisor -> template   kFork    worker              fds: channel, wake eventfd,
//                                                        standard output and error
//   template -> supervisor   kReady                        loaded and warmed up; may fork
//                            kForked  worker, pid          fd: pidfd of the worker
//                            kExited  worker, pid, status  reaped: nothing more comes from it
//                            kNotForked  worker, text      the kernel refused; ask again later
//                            kFailed  text                 cannot become ready; it exits
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"

namespace consort {

inline constexpr uint32_t kTemplateLinkVersion = 2;

struct TemplateMessage {
  enum class Type : uint32_t { kFork = 1, kReady, kForked, kExited, kFailed, kNotForked };
  uint32_t version = kTemplateLinkVersion;
  Type type{};
  uint64_t worker = 0;  // the supervisor's number for it
  int32_t pid = 0;
  int32_t wait_status = 0;  // as from waitpid
  char text[1000] = {};     // NUL-terminated

  void SetText(const std::string& value);
};
static_assert(sizeof(TemplateMessage) == 1024);

struct ReceivedMessage {
  TemplateMessage message;
  std::vector<UniqueFd> fds;
};

// With `wait` blocks until there is room. Fails when the other side is gone, or there is no room.
Status SendMessage(int socket, const TemplateMessage& message, const std::vector<int>& fds = {},
                   bool wait = true);

// Without a value when nothing is there (only with wait = false) or the other side is gone
// (`closed` says which).
Result<std::optional<ReceivedMessage>> ReceiveMessage(int socket, bool wait, bool& closed);

}  // namespace consort
