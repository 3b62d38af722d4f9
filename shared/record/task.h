// What the supervisor asks of an engine: a run of consecutive segments of one file, or several
// short files. See docs/protocol.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace consort {

// Segments [first_segment, first_segment + segment_count) of one file; fewer if the file ends.
struct TaskItem {
  uint64_t file = 0;  // index in the list
  uint64_t first_segment = 0;
  uint64_t segment_count = 0;
  std::string path;  // to open, relative to the current folder or absolute
};

struct Task {
  uint64_t id = 0;
  // The engine ends the task early, between two segments, once this much time has passed: tasks
  // are sized by estimates, and an estimate may be wrong. What it did not begin is planned anew.
  int64_t time_slice_ns = 0;
  std::vector<TaskItem> items;
};

inline constexpr uint32_t kTaskRecord = 1;  // the ring record's type

// PATH_MAX; a longer entry is an error of that entry, found before it is handed out.
inline constexpr size_t kMaxPathBytes = 4096;
// The size of a task record with one item of the longest path; a task never exceeds
// kMaxTaskBytes.
inline constexpr size_t kMaxTaskBytes = 16 * 1024;

// Bytes that an item adds to a task record.
size_t EncodedSize(const TaskItem& item);
void Encode(const Task& task, std::vector<uint8_t>& out);
Result<Task> DecodeTask(const void* data, size_t size);

}  // namespace consort
