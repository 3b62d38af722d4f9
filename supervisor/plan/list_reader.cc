#include "supervisor/plan/list_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "supervisor/plan/not_a_list.h"
#include "supervisor/plan/utf8_bom.h"

namespace consort {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

Status AddLine(std::string_view line, uint32_t prefix, ListSpooler& spooler) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.find_first_not_of(" \t") == std::string_view::npos) return Ok();
  return spooler.Add(line, prefix);
}

// The next bytes, at most `size`; 0 at the end.
Result<size_t> ReadSome(int fd, char* to, size_t size, const std::string& shown) {
  for (;;) {
    const ssize_t got = ::read(fd, to, size);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EAGAIN) {
      pollfd ready{fd, POLLIN, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      Error error = SystemError("read", "", errno);
      error.what.insert(std::strlen("could not read"), " " + shown);
      return error;
    }
  }
}

}  // namespace

Status ReadList(int fd, const std::string& shown, uint32_t prefix, ListSpooler& spooler) {
  std::vector<char> buffer(kReadBytes);
  size_t held = 0;  // bytes of a line that is not complete yet
  bool first = true;
  bool first_line = true;
  const auto take = [&](std::string_view line) -> Status {
    if (first_line) CONSORT_TRY(CheckIsList(line, shown));
    first_line = false;
    return AddLine(line, prefix, spooler);
  };
  for (;;) {
    if (held == buffer.size()) {
      if (held > kMaxLineBytes) {
        return Error{shown + " is not a list: it has a line longer than 1 MiB",
                     "a list has one path a line"};
      }
      buffer.resize(2 * buffer.size());
    }
    CONSORT_TRY(auto got, ReadSome(fd, buffer.data() + held, buffer.size() - held, shown));
    if (std::memchr(buffer.data() + held, 0, got) != nullptr) {
      const std::string_view start(buffer.data(), held + got);
      if (first && (start.starts_with("\xff\xfe") || start.starts_with("\xfe\xff"))) {
        return Error{shown + " is not a list that can be read: it is in UTF-16",
                     "save it as UTF-8"};
      }
      return Error{shown + " is not a list: it has NUL bytes, so it may be audio",
                   "give audio its usual extension (.wav, .flac, .mp3, …), or name it in a list"};
    }
    size_t end = held + got;
    size_t at = 0;
    // A BOM may come in pieces: wait for three bytes, or for the end.
    if (first && (end >= kUtf8Bom.size() || got == 0)) {
      first = false;
      if (std::string_view(buffer.data(), end).starts_with(kUtf8Bom)) at = kUtf8Bom.size();
    } else if (first) {
      held = end;
      continue;
    }
    while (at < end) {
      const void* newline = std::memchr(buffer.data() + at, '\n', end - at);
      if (newline == nullptr) break;
      const auto length =
          static_cast<size_t>(static_cast<const char*>(newline) - (buffer.data() + at));
      CONSORT_TRY(take({buffer.data() + at, length}));
      at += length + 1;
    }
    held = end - at;
    if (got == 0) return take({buffer.data() + at, held});
    std::memmove(buffer.data(), buffer.data() + at, held);
  }
}

}  // namespace consort
