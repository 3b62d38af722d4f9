// Reads one list of paths, a line at a time, from anything that read(2) can read.
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"
#include "supervisor/plan/list.h"

namespace consort {

// A line longer than this is no path, whatever the file system.
inline constexpr size_t kMaxLineBytes = 1024 * 1024;

// Adds every entry of the list to `spooler`; `shown` is the list's name in messages, quotes and
// all. Stops with an error at what no list of paths has: a NUL byte, a line without end.
Status ReadList(int fd, const std::string& shown, uint32_t prefix, ListSpooler& spooler);

}  // namespace consort
