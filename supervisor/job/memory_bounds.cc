#include "supervisor/job/memory_bounds.h"

#include <utility>

#include "supervisor/view/number.h"

namespace consort {

Machine BoundMemory(Machine machine, const RunOptions& options) {
  const int64_t bytes = options.memory_limit.bytes;
  if (bytes > 0 && (machine.UsableMemory() == 0 || bytes < machine.UsableMemory())) {
    machine.memory_limit = MemoryLimit{bytes, "--memory-limit"};
  }
  return machine;
}

TreeLimit BoundOfTree(const Machine& machine, const RunOptions& options) {
  TreeLimit limit;
  if (machine.memory_limit) {
    const auto& group = *machine.memory_limit;
    limit = {.bytes = group.bytes - group.bytes / 16,
             .end_bytes = group.bytes - group.bytes / 32,
             .name = "the memory limit of " + Bytes(group.bytes) + " (" + group.file + ") leaves"};
  }
  const int64_t bytes = options.memory_limit.bytes;
  if (bytes == 0 || (limit.bytes > 0 && limit.bytes <= bytes)) return limit;
  return {.bytes = bytes,
          .end_bytes = bytes + bytes / 4,
          .name = "--memory-limit " + options.memory_limit.text};
}

}  // namespace consort
