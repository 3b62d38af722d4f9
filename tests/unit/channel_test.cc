#include "shared/channel/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstring>
#include <string>

namespace consort {
namespace {

UniqueFd Duplicate(const Channel& channel) { return UniqueFd(dup(channel.fd())); }

TEST(Channel, IsSeenTheSameFromBothSides) {
  auto made = Channel::Create({3, -1, 7});
  ASSERT_TRUE(made);
  auto attached = Channel::Attach(Duplicate(made.value()));
  ASSERT_TRUE(attached);
  const Channel& ours = made.value();
  const Channel& theirs = attached.value();
  ASSERT_EQ(theirs.engine_count(), 3U);
  EXPECT_EQ(theirs.config(0).cpu, 3);
  EXPECT_EQ(theirs.config(1).cpu, -1);
  EXPECT_EQ(theirs.config(2).cpu, 7);
  EXPECT_EQ(theirs.header().ready.load(), 0U);
  theirs.header().ready.store(1);
  EXPECT_EQ(ours.header().ready.load(), 1U);
  theirs.state(2).segment.store(42);
  EXPECT_EQ(ours.state(2).segment.load(), 42U);
  EXPECT_EQ(ours.state(1).segment.load(), 0U);
}

TEST(Channel, CarriesTasksOneWayAndResultsTheOther) {
  auto made = Channel::Create({-1, -1});
  auto attached = Channel::Attach(Duplicate(made.value()));
  for (uint32_t engine = 0; engine < 2; ++engine) {
    Producer tasks(made.value().task_ring(engine), made.value().task_cells(engine), kTaskRingWords);
    Consumer taken(attached.value().task_ring(engine), attached.value().task_cells(engine),
                   kTaskRingWords);
    Producer results(attached.value().result_ring(engine), attached.value().result_cells(engine),
                     kResultRingWords);
    Consumer got(made.value().result_ring(engine), made.value().result_cells(engine),
                 kResultRingWords);
    const std::string task = "task for " + std::to_string(engine);
    const std::string result = "result of " + std::to_string(engine);
    ASSERT_EQ(tasks.TryPush(1, task.data(), static_cast<uint32_t>(task.size())),
              Producer::Push::kPushed);
    ASSERT_EQ(results.TryPush(2, result.data(), static_cast<uint32_t>(result.size())),
              Producer::Push::kPushed);
    std::string buffer(kResultRingWords * sizeof(RingCell), '\0');  // as long as a ring
    uint32_t type = 0;
    uint32_t bytes = 0;
    ASSERT_EQ(taken.TryPop(buffer.data(), static_cast<uint32_t>(buffer.size()), &type, &bytes),
              Consumer::Pop::kPopped);
    EXPECT_EQ(buffer.substr(0, bytes), task);
    EXPECT_EQ(type, 1U);
    ASSERT_EQ(got.TryPop(buffer.data(), static_cast<uint32_t>(buffer.size()), &type, &bytes),
              Consumer::Pop::kPopped);
    EXPECT_EQ(buffer.substr(0, bytes), result);
    EXPECT_EQ(type, 2U);
  }
}

TEST(Channel, KeepsItsPartsApart) {
  // Each part is filled with a byte of its own; none of them touches another.
  const auto made = Channel::Create({-1, -1, -1});
  const Channel& channel = made.value();
  const auto each_part = [&](auto act) {
    uint8_t mark = 1;
    for (uint32_t i = 0; i < channel.engine_count(); ++i) {
      act(reinterpret_cast<uint8_t*>(&channel.state(i)), sizeof(EngineState), mark++);
      act(reinterpret_cast<uint8_t*>(&channel.config(i)), sizeof(EngineConfig), mark++);
      act(reinterpret_cast<uint8_t*>(channel.task_ring(i)), sizeof(SharedRing), mark++);
      act(reinterpret_cast<uint8_t*>(channel.task_cells(i)), size_t{kTaskRingWords} * 8, mark++);
      act(reinterpret_cast<uint8_t*>(channel.result_ring(i)), sizeof(SharedRing), mark++);
      act(reinterpret_cast<uint8_t*>(channel.result_cells(i)), size_t{kResultRingWords} * 8,
          mark++);
    }
  };
  each_part([](uint8_t* at, size_t size, uint8_t mark) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % 64, 0U);
    std::memset(at, mark, size);
  });
  each_part([](const uint8_t* at, size_t size, uint8_t mark) {
    for (size_t i = 0; i < size; ++i) ASSERT_EQ(at[i], mark);
  });
  EXPECT_EQ(channel.header().magic, kChannelMagic);
}

TEST(Channel, StaysMappedWhenItsDescriptorIsClosed) {
  auto made = Channel::Create({-1});
  made.value().CloseFd();
  made.value().state(0).task.store(9);
  EXPECT_EQ(made.value().state(0).task.load(), 9U);
}

TEST(Channel, IsNotInheritedByOtherPrograms) {
  const auto made = Channel::Create({-1});
  EXPECT_NE(fcntl(made.value().fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Channel, OfAnotherVersionOrSizeIsRefused) {
  const auto damaged = [](auto damage) {
    auto made = Channel::Create({-1, -1});
    damage(made.value());
    return !Channel::Attach(Duplicate(made.value()));
  };
  EXPECT_FALSE(damaged([](Channel&) {}));
  EXPECT_TRUE(damaged([](Channel& channel) { channel.header().magic ^= 1; }));
  EXPECT_TRUE(damaged([](Channel& channel) { channel.header().version = kChannelVersion + 1; }));
  EXPECT_TRUE(damaged([](Channel& channel) { channel.header().task_ring_words *= 2; }));
  EXPECT_TRUE(damaged([](Channel& channel) { channel.header().result_ring_words /= 2; }));
  EXPECT_TRUE(damaged([](Channel& channel) { channel.header().bytes += 64; }));
  for (const uint32_t count : {0U, 1U, 3U, UINT32_MAX}) {
    EXPECT_TRUE(damaged([count](Channel& channel) { channel.header().engine_count = count; }));
  }
}

TEST(Channel, CutShortIsRefused) {
  const auto made = Channel::Create({-1, -1});
  std::vector<char> bytes(made.value().header().bytes);
  ASSERT_EQ(pread(made.value().fd(), bytes.data(), bytes.size(), 0),
            static_cast<ssize_t>(bytes.size()));
  for (const size_t size : {bytes.size(), bytes.size() - 64, bytes.size() / 2, size_t{4096}}) {
    UniqueFd cut(memfd_create("cut", MFD_CLOEXEC));
    ASSERT_EQ(write(cut.get(), bytes.data(), size), static_cast<ssize_t>(size));
    EXPECT_EQ(Channel::Attach(std::move(cut)).has_value(), size == bytes.size());
  }
}

TEST(Channel, CannotBeMadeShorterUnderTheSupervisor) {
  const auto made = Channel::Create({-1});
  EXPECT_EQ(ftruncate(made.value().fd(), 0), -1);
}

TEST(Channel, ThatIsNoneIsRefused) {
  EXPECT_FALSE(Channel::Attach(UniqueFd(memfd_create("empty", MFD_CLOEXEC))));
  EXPECT_FALSE(Channel::Attach(UniqueFd()));
}

}  // namespace
}  // namespace consort
