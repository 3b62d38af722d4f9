// Where a model's state stands: in which file, and before which of its segments.
//
// A file is known by its path, size, time of change, length and channels: the same that the
// supervisor goes by when it tells whether a file was changed in mid-run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "shared/record/result.h"

namespace consort {

class StatePlace {
 public:
  // A file was opened. Of any other one than that of the state the state is worth nothing.
  void Open(const std::string& path, const FileInfo& info) {
    if (path != path_ || !SameSound(info, info_) || info.channels != info_.channels) next_.reset();
    path_ = path;
    info_ = info;
  }

  // The state can go on to segment k: it stands before k, or before an earlier segment.
  bool Reaches(int64_t k) const { return next_ && *next_ <= k; }
  // The segment that it stands before. Only after Begin, and not after Lose.
  int64_t next() const { return *next_; }

  // The state is that of a file's beginning.
  void Begin() { next_ = 0; }
  // The model has heard segment next().
  void Heard() { ++*next_; }
  // Nobody knows what it is.
  void Lose() { next_.reset(); }

 private:
  std::string path_;
  FileInfo info_;
  std::optional<int64_t> next_;
};

}  // namespace consort
