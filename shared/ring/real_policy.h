// The ring as it runs: std::atomic, and plain words as data cells. See ring.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "shared/ring/ring.h"

namespace consort {

struct RealPolicy {
  static constexpr size_t kLineBytes = 64;
  using AtomicU64 = std::atomic<uint64_t>;
  using AtomicU32 = std::atomic<uint32_t>;
  using Cell = uint64_t;

  template <typename T>
  static T LoadAcquire(const std::atomic<T>* from) {
    return from->load(std::memory_order_acquire);
  }
  template <typename T>
  static T LoadRelaxed(const std::atomic<T>* from) {
    return from->load(std::memory_order_relaxed);
  }
  template <typename T>
  static void StoreRelease(std::atomic<T>* to, T value) {
    to->store(value, std::memory_order_release);
  }
  template <typename T>
  static void StoreRelaxed(std::atomic<T>* to, T value) {
    to->store(value, std::memory_order_relaxed);
  }
  template <typename T>
  static T ExchangeRelaxed(std::atomic<T>* to, T value) {
    return to->exchange(value, std::memory_order_relaxed);
  }
  static void FenceSeqCst() {
    // ThreadSanitizer does not model fences. None of ours carries data (the release and acquire of
    // tail and head do), so it misses nothing; it still emits the instruction.
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic pop
#endif
  }

  // One access to memory, whatever the optimiser likes: a header that is checked and then read
  // again could have changed in between.
  static uint64_t ReadWord(const Cell* cell) { return __atomic_load_n(cell, __ATOMIC_RELAXED); }
  static void WriteWord(Cell* cell, uint64_t value) {
    __atomic_store_n(cell, value, __ATOMIC_RELAXED);
  }
  // Whole words; what the last one has too many is zero, so that nothing of ours leaks.
  static void CopyIn(Cell* to, const unsigned char* from, uint32_t bytes) {
    const uint32_t whole = bytes / kRingWordBytes;
    std::memcpy(to, from, size_t{whole} * kRingWordBytes);
    if (const uint32_t rest = bytes % kRingWordBytes) {
      uint64_t last = 0;
      std::memcpy(&last, from + size_t{whole} * kRingWordBytes, rest);
      to[whole] = last;
    }
  }
  static void CopyOut(const Cell* from, unsigned char* to, uint32_t bytes) {
    std::memcpy(to, from, bytes);
  }
};

using RealRingControl = RingControl<RealPolicy>;
using RealRingProducer = RingProducer<RealPolicy>;
using RealRingConsumer = RingConsumer<RealPolicy>;

// Bytes of shared memory a ring takes: control, then cells. Place it at a multiple of 64.
constexpr size_t RingBytes(uint32_t capacity_words) {
  return sizeof(RealRingControl) + size_t{capacity_words} * kRingWordBytes;
}

static_assert(RealPolicy::AtomicU64::is_always_lock_free);
static_assert(RealPolicy::AtomicU32::is_always_lock_free);
static_assert(sizeof(RealPolicy::AtomicU32) == sizeof(uint32_t), "a futex is on the word itself");
static_assert(std::is_trivially_copyable_v<RealRingControl>);
static_assert(std::is_standard_layout_v<RealRingControl>);
static_assert(alignof(RealRingControl) == 64);
static_assert(sizeof(RealRingControl) == 256);
static_assert(offsetof(RealRingControl, tail) == 0);
static_assert(offsetof(RealRingControl, head) == 64);
static_assert(offsetof(RealRingControl, consumer_asleep) == 128);
static_assert(offsetof(RealRingControl, producer_asleep) == 192);

}  // namespace consort
