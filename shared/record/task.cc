#include "shared/record/task.h"

#include "shared/record/wire.h"

namespace consort {

size_t EncodedSize(const TaskItem& item) { return 3 * 8 + 4 + item.path.size(); }

void Encode(const Task& task, std::vector<uint8_t>& out) {
  WireWriter writer(out);
  writer.Put(task.id);
  writer.Put(task.time_slice_ns);
  writer.Put(static_cast<uint32_t>(task.items.size()));
  for (const auto& item : task.items) {
    writer.Put(item.file);
    writer.Put(item.first_segment);
    writer.Put(item.segment_count);
    writer.PutBytes(item.path);
  }
}

Result<Task> DecodeTask(const void* data, size_t size) {
  WireReader reader(data, size);
  Task task;
  task.id = reader.Get<uint64_t>();
  task.time_slice_ns = reader.Get<int64_t>();
  const auto count = reader.Get<uint32_t>();
  for (uint32_t i = 0; i < count && reader.good(); ++i) {
    TaskItem item;
    item.file = reader.Get<uint64_t>();
    item.first_segment = reader.Get<uint64_t>();
    item.segment_count = reader.Get<uint64_t>();
    item.path = std::string(reader.GetBytes());
    task.items.push_back(std::move(item));
  }
  if (!reader.done()) return Error{"damaged task record"};
  return task;
}

}  // namespace consort
