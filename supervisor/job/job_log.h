// JOB/log: what workers and their models wrote, a line each, with time, process and slot.
//
//   2026-11-26T11:48:05.123Z worker 4711 slot 3: text
//
// At kRotateBytes it becomes log.1, in the place of the one before. It is for people: it is never
// synced, and when it cannot be written that is told once and the job goes on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "shared/base/unique_fd.h"

namespace consort {

class JobLog {
 public:
  static constexpr uint64_t kRotateBytes = 16 * 1024 * 1024;
  using Warn = std::function<void(const std::string&)>;

  // Nothing is made before there is something to write. `rotate_bytes` is for tests.
  JobLog(const std::string& folder, Warn warn, uint64_t rotate_bytes = kRotateBytes)
      : path_(folder + "/log"), warn_(std::move(warn)), rotate_bytes_(rotate_bytes) {}

  const std::string& path() const { return path_; }
  // Kept in memory until the next Flush, or until some kilobytes have come together.
  void Add(pid_t pid, size_t slot, std::string_view line);
  void Flush();

 private:
  bool Open();
  void Rotate();
  void Failed(const char* verb, int errno_value);

  std::string path_;
  Warn warn_;
  uint64_t rotate_bytes_;
  UniqueFd file_;
  uint64_t bytes_ = 0;  // in the file
  std::string pending_;
  bool told_ = false;
};

}  // namespace consort
