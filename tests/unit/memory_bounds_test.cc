#include "supervisor/job/memory_bounds.h"

#include <gtest/gtest.h>

namespace consort {
namespace {

constexpr int64_t kMiB = 1 << 20;

RunOptions Limited(int64_t mib) {
  RunOptions options;
  if (mib > 0) options.memory_limit = {mib * kMiB, std::to_string(mib) + "M"};
  return options;
}

Machine Of(int64_t memory_mib, int64_t group_mib) {
  Machine machine;
  machine.memory_bytes = memory_mib * kMiB;
  if (group_mib > 0) machine.memory_limit = MemoryLimit{group_mib * kMiB, "/group"};
  return machine;
}

TEST(MemoryBounds, WithoutALimitThereIsNone) {
  EXPECT_EQ(BoundOfTree(Of(1000, 0), Limited(0)).bytes, 0);
  EXPECT_FALSE(BoundMemory(Of(1000, 0), Limited(0)).memory_limit);
}

TEST(MemoryBounds, OfAControlGroupLeaveSomeFree) {
  const auto limit = BoundOfTree(Of(1000, 160), Limited(0));
  EXPECT_EQ(limit.bytes, 150 * kMiB);
  EXPECT_EQ(limit.end_bytes, 155 * kMiB);
  EXPECT_EQ(limit.name, "the memory limit of 160 MiB (/group) leaves");
}

TEST(MemoryBounds, TheTighterOfOptionAndControlGroupCounts) {
  EXPECT_EQ(BoundOfTree(Of(1000, 160), Limited(200)).bytes, 150 * kMiB);
  EXPECT_EQ(BoundMemory(Of(1000, 160), Limited(200)).memory_limit->file, "/group");
  const auto limit = BoundOfTree(Of(1000, 160), Limited(100));
  EXPECT_EQ(limit.bytes, 100 * kMiB);
  EXPECT_EQ(limit.end_bytes, 125 * kMiB);
  EXPECT_EQ(limit.name, "--memory-limit 100M");
  const auto machine = BoundMemory(Of(1000, 160), Limited(100));
  EXPECT_EQ(machine.memory_limit->bytes, 100 * kMiB);
  EXPECT_EQ(machine.memory_limit->file, "--memory-limit");
}

TEST(MemoryBounds, OfMoreThanTheMachineHasPlaceNobody) {
  EXPECT_FALSE(BoundMemory(Of(1000, 0), Limited(2000)).memory_limit);
}

}  // namespace
}  // namespace consort
