// What one process holds, as the kernel tells it. 0 where it is gone or may not be read.
//
// `proc` is "/proc", or a folder made for a test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace consort {

// Memory that belongs to no file and is not shared by name: heap, stacks, what was copied on write
// and what is still shared with the template since the fork. From /proc/PID/statm, some 10 µs
// however large the process is.
int64_t ReadAnonymousBytes(const std::string& proc, pid_t pid);

// The most that it ever held of such memory, or somewhat more: the peak of all that was resident,
// without what it holds of files and of memory shared by name now. From /proc/PID/status.
int64_t ReadPeakAnonymousBytes(const std::string& proc, pid_t pid);

struct RolledUp {
  int64_t pss_bytes = 0;      // each shared page counted by its share
  int64_t private_bytes = 0;  // anonymous memory that no other process has, too
};
// From /proc/PID/smaps_rollup: the kernel walks the page tables and holds the process's lock on its
// mappings meanwhile, so a thread that may have to wait does it, and seldom.
RolledUp ReadRolledUp(const std::string& proc, pid_t pid);

}  // namespace consort
