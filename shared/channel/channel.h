// The channel: the one piece of memory that the supervisor and a worker share, for one worker's
// life. Anonymous (memfd), reached by an inherited descriptor, never reused.
//
//   0                4096                                            4096 + i * stride
//   | ChannelHeader  | engine 0                                    | engine 1 …
//                    | state | config | task ring | result ring    |
//                      64 B    64 B     control + cells   control + cells
//
//   task ring    supervisor -> engine   Task records             (shared/record/task.h)
//   result ring  engine -> supervisor   FileInfo, SegmentTags, … (shared/record/result.h)
//
// The supervisor writes header and configs before the worker exists; afterwards `ready` and
// `dumps` are the only fields of the header that change. Zeroed memory is an empty ring. An engine
// sleeps on its rings' flags with a futex; the supervisor sleeps in epoll on one eventfd a worker.
#pragma once

#include <atomic>
#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/channel/engine_state.h"
#include "shared/ring/real_policy.h"
#include "shared/ring/ring.h"

namespace consort {

using SharedRing = RingControl<RealPolicy>;
using RingCell = RealPolicy::Cell;
using Producer = RingProducer<RealPolicy>;
using Consumer = RingConsumer<RealPolicy>;

inline constexpr uint64_t kChannelMagic = 0x31'6c'65'6e'6e'61'68'63;  // "channel1"
inline constexpr uint32_t kChannelVersion = 3;
inline constexpr uint32_t kTaskRingWords = 4 * 1024;     // 32 KiB: two tasks of ordinary size
inline constexpr uint32_t kResultRingWords = 16 * 1024;  // 128 KiB: some 1,500 segments of 5 tags
inline constexpr uint32_t kMaxEngines = 1024;

struct ChannelHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t engine_count;
  uint32_t task_ring_words;
  uint32_t result_ring_words;
  uint64_t bytes;
  std::atomic<uint32_t> ready;  // set by the worker once its engines run
  std::atomic<uint32_t>
      dumps;  // stack dumps the worker has written (shared/channel/dump_request.h)
};
static_assert(offsetof(ChannelHeader, ready) == 32);

struct alignas(64) EngineConfig {
  int32_t cpu;  // processing unit to run on; -1: any
};
static_assert(sizeof(EngineConfig) == 64);

class Channel {
 public:
  // cpus: one entry an engine, as in EngineConfig::cpu.
  static Result<Channel> Create(const std::vector<int>& cpus);
  // In the worker. The memory came from the supervisor and is believed.
  static Result<Channel> Attach(UniqueFd fd);

  int fd() const { return fd_.get(); }
  // The mapping stays; for a supervisor that has handed the descriptor over.
  void CloseFd() { fd_.Reset(); }

  uint32_t engine_count() const { return engine_count_; }
  ChannelHeader& header() const { return *At<ChannelHeader>(0); }
  EngineState& state(uint32_t engine) const { return *At<EngineState>(Block(engine)); }
  EngineConfig& config(uint32_t engine) const;
  SharedRing* task_ring(uint32_t engine) const;
  RingCell* task_cells(uint32_t engine) const;
  SharedRing* result_ring(uint32_t engine) const;
  RingCell* result_cells(uint32_t engine) const;

 private:
  Channel() = default;
  size_t Block(uint32_t engine) const;
  template <typename T>
  T* At(size_t offset) const {
    return reinterpret_cast<T*>(static_cast<std::byte*>(region_.get_address()) + offset);
  }

  UniqueFd fd_;
  boost::interprocess::mapped_region region_;
  uint32_t engine_count_ = 0;  // kept privately: the header is writable by the worker
};

}  // namespace consort
