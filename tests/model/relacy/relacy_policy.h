// The ring's policy under relacy: the same calls as RealPolicy, on atomics whose loads may return
// any value the C++ memory model allows, and on data cells that notice every race.
#pragma once

#include <cstring>
#include <relacy/relacy.hpp>
#include <relacy/stdlib/event.hpp>

#include "shared/ring/ring.h"

namespace model {

struct RelacyPolicy {
  static constexpr std::size_t kLineBytes = 16;  // relacy's atomics span several lines anyway
  using AtomicU64 = rl::atomic<uint64_t>;
  using AtomicU32 = rl::atomic<uint32_t>;
  using Cell = rl::var<uint64_t>;

  template <typename T>
  static T LoadAcquire(const rl::atomic<T>* from) {
    return from->load(rl::mo_acquire, RL_INFO);
  }
  template <typename T>
  static T LoadRelaxed(const rl::atomic<T>* from) {
    return from->load(rl::mo_relaxed, RL_INFO);
  }
  template <typename T>
  static void StoreRelease(rl::atomic<T>* to, T value) {
    to->store(value, rl::mo_release, RL_INFO);
  }
  template <typename T>
  static void StoreRelaxed(rl::atomic<T>* to, T value) {
    to->store(value, rl::mo_relaxed, RL_INFO);
  }
  template <typename T>
  static T ExchangeRelaxed(rl::atomic<T>* to, T value) {
    return to->exchange(value, rl::mo_relaxed, RL_INFO);
  }
  static void FenceSeqCst() { rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO); }

  static uint64_t ReadWord(const Cell* cell) {
    CheckInside(cell);
    return (*cell)(RL_INFO).load();
  }
  static void WriteWord(Cell* cell, uint64_t value) {
    CheckInside(cell);
    (*cell)(RL_INFO).store(value);
  }
  static void CopyIn(Cell* to, const unsigned char* from, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes; at += 8, ++to) {
      uint64_t word = 0;
      std::memcpy(&word, from + at, bytes - at < 8 ? bytes - at : 8);
      WriteWord(to, word);
    }
  }
  static void CopyOut(const Cell* from, unsigned char* to, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes; at += 8, ++from) {
      const uint64_t word = ReadWord(from);
      std::memcpy(to + at, &word, bytes - at < 8 ? bytes - at : 8);
    }
  }

  // A ring's cells are the only ones there are; the model has one ring.
  static void CheckInside(const Cell* cell) { RL_ASSERT(cell >= Begin() && cell < End()); }
  static const Cell*& Begin() {
    static const Cell* begin;
    return begin;
  }
  static const Cell*& End() {
    static const Cell* end;
    return end;
  }
};

// futex(2) as the kernel does it: the comparison and going to sleep are one step as seen by a
// waker, and both calls are full barriers. No timeout, so that a lost wake-up is a deadlock.
inline void FutexWait(rl::atomic<uint32_t>* word, uint32_t expected) {
  rl::context& c = rl::ctx();
  c.sched();
  rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
  uint32_t now;
  {
    rl::preemption_disabler disabled(c);
    now = word->load(rl::mo_relaxed, RL_INFO);
  }
  if (now == expected) word->wait(c, /*is_timed=*/false, /*allow_spurious_wakeup=*/true, RL_INFO);
}

inline void FutexWake(rl::atomic<uint32_t>* word) {
  rl::context& c = rl::ctx();
  c.sched();
  rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
  word->wake(c, 1, RL_INFO);
}

}  // namespace model
