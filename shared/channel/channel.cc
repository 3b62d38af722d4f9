#include "shared/channel/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <new>

#include "shared/base/mappable_fd.h"

namespace consort {
namespace {

namespace ipc = boost::interprocess;

constexpr size_t kHeaderBytes = 4096;
constexpr size_t kStateAt = 0;
constexpr size_t kConfigAt = kStateAt + sizeof(EngineState);
constexpr size_t kTaskRingAt = kConfigAt + sizeof(EngineConfig);
constexpr size_t kTaskCellsAt = kTaskRingAt + sizeof(SharedRing);
constexpr size_t kResultRingAt = kTaskCellsAt + kTaskRingWords * sizeof(RingCell);
constexpr size_t kResultCellsAt = kResultRingAt + sizeof(SharedRing);
constexpr size_t kBlockBytes = kResultCellsAt + kResultRingWords * sizeof(RingCell);
static_assert(sizeof(ChannelHeader) <= kHeaderBytes);
static_assert(kTaskRingAt % 64 == 0 && kResultRingAt % 64 == 0 && kBlockBytes % 64 == 0);

size_t ChannelBytes(size_t engines) { return kHeaderBytes + engines * kBlockBytes; }

}  // namespace

size_t Channel::Block(uint32_t engine) const { return kHeaderBytes + engine * kBlockBytes; }

Result<Channel> Channel::Create(const std::vector<int>& cpus) {
  Channel channel;
  channel.engine_count_ = static_cast<uint32_t>(cpus.size());
  channel.fd_ = UniqueFd(memfd_create("consort-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const size_t bytes = ChannelBytes(cpus.size());
  // ftruncate, not fallocate: a ring that is never filled never costs its pages.
  if (!channel.fd_ || ftruncate(channel.fd_.get(), static_cast<off_t>(bytes)) != 0) {
    return SystemError("make a worker's channel", "", errno);
  }
  // A worker that made it shorter would end the supervisor with SIGBUS.
  if (fcntl(channel.fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return SystemError("seal a worker's channel", "", errno);
  }
  try {
    channel.region_ = ipc::mapped_region(MappableFd{channel.fd_.get()}, ipc::read_write, 0, bytes);
  } catch (const ipc::interprocess_exception& error) {
    return Error{std::string("could not map a worker's channel: ") + error.what()};
  }
  auto& header = channel.header();
  header.magic = kChannelMagic;
  header.version = kChannelVersion;
  header.engine_count = channel.engine_count_;
  header.task_ring_words = kTaskRingWords;
  header.result_ring_words = kResultRingWords;
  header.bytes = bytes;
  for (uint32_t i = 0; i < channel.engine_count_; ++i) channel.config(i).cpu = cpus[i];
  return channel;
}

Result<Channel> Channel::Attach(UniqueFd fd) {
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return SystemError("look at the channel", "", errno);
  const auto bytes = static_cast<size_t>(status.st_size);
  if (bytes < ChannelBytes(1)) return Error{"the channel is too small"};
  Channel channel;
  channel.fd_ = std::move(fd);
  try {
    channel.region_ = ipc::mapped_region(MappableFd{channel.fd_.get()}, ipc::read_write, 0, bytes);
  } catch (const ipc::interprocess_exception& error) {
    return Error{std::string("could not map the channel: ") + error.what()};
  }
  const auto& header = channel.header();
  if (header.magic != kChannelMagic || header.version != kChannelVersion ||
      header.task_ring_words != kTaskRingWords || header.result_ring_words != kResultRingWords ||
      header.bytes != bytes || ChannelBytes(header.engine_count) != bytes) {
    return Error{"the channel was made by another version of consort",
                 "install consort and consort-worker of one build"};
  }
  channel.engine_count_ = header.engine_count;
  return channel;
}

EngineConfig& Channel::config(uint32_t engine) const {
  return *At<EngineConfig>(Block(engine) + kConfigAt);
}
SharedRing* Channel::task_ring(uint32_t engine) const {
  return At<SharedRing>(Block(engine) + kTaskRingAt);
}
RingCell* Channel::task_cells(uint32_t engine) const {
  return At<RingCell>(Block(engine) + kTaskCellsAt);
}
SharedRing* Channel::result_ring(uint32_t engine) const {
  return At<SharedRing>(Block(engine) + kResultRingAt);
}
RingCell* Channel::result_cells(uint32_t engine) const {
  return At<RingCell>(Block(engine) + kResultCellsAt);
}

}  // namespace consort
