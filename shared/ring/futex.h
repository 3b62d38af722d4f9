// Parking on a 32-bit word in memory shared by processes (futex(2), not the private kind).
#pragma once

#include <atomic>
#include <cstdint>

namespace consort {

enum class FutexWaitResult {
  kWoken,    // by FutexWake, by a signal, or for no reason: look again
  kChanged,  // *word was not `expected`: did not sleep
  kTimedOut,
};

// Sleeps while *word == expected, at most timeout_ms (CLOCK_MONOTONIC; 0 or less: not at all).
FutexWaitResult FutexWait(const std::atomic<uint32_t>* word, uint32_t expected, int64_t timeout_ms);

// Wakes whoever sleeps on the word; returns how many did.
int FutexWake(std::atomic<uint32_t>* word);

}  // namespace consort
