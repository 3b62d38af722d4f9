// The ring between honest sides: what goes in comes out. The hostile and the dying are in
// ring_hostile_test.cc; the memory orders are the model checker's (tests/model).
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "shared/ring/futex.h"
#include "shared/ring/real_policy.h"

namespace consort {
namespace {

using Push = RealRingProducer::Push;
using Pop = RealRingConsumer::Pop;

// A ring and both its ends in one process.
struct Ring {
  explicit Ring(uint32_t words)
      : cells(words),
        producer(&control, cells.data(), words),
        consumer(&control, cells.data(), words) {}
  RealRingControl control{};
  std::vector<uint64_t> cells;
  RealRingProducer producer;
  RealRingConsumer consumer;
};

std::vector<uint8_t> Payload(uint32_t bytes, uint32_t seed) {
  std::vector<uint8_t> payload(bytes);
  for (uint32_t i = 0; i < bytes; ++i) payload[i] = static_cast<uint8_t>(seed * 31 + i + 1);
  return payload;
}

Push PushPayload(Ring& ring, uint32_t type, uint32_t bytes) {
  return ring.producer.TryPush(type, Payload(bytes, type).data(), bytes);
}

void ExpectPayload(Ring& ring, uint32_t type, uint32_t bytes) {
  std::vector<uint8_t> buffer(bytes + 8, 0xEE);
  uint32_t got_type = 0, got_bytes = 0;
  ASSERT_EQ(ring.consumer.TryPop(buffer.data(), bytes, &got_type, &got_bytes), Pop::kPopped);
  EXPECT_EQ(got_type, type);
  ASSERT_EQ(got_bytes, bytes);
  std::vector<uint8_t> expected = Payload(bytes, type);
  expected.resize(bytes + 8, 0xEE);  // nothing past the record was written
  EXPECT_EQ(buffer, expected);
}

Pop PopIntoNothing(Ring& ring) {
  uint8_t buffer[8];
  uint32_t type = 0, bytes = 0;
  return ring.consumer.TryPop(buffer, sizeof(buffer), &type, &bytes);
}

TEST(Ring, ZeroedMemoryIsAnEmptyRing) {
  Ring ring(8);
  EXPECT_TRUE(ring.consumer.Empty());
  EXPECT_EQ(PopIntoNothing(ring), Pop::kEmpty);
}

TEST(Ring, ReturnsRecordsOfEverySizeFromEveryOffset) {
  constexpr uint32_t kWords = 8;
  for (uint32_t offset = 0; offset < kWords; ++offset) {
    for (uint32_t bytes = 0; bytes <= (kWords - 1) * 8; ++bytes) {
      Ring ring(kWords);
      for (uint32_t i = 0; i < offset; ++i) {  // a record without payload is one word
        ASSERT_EQ(PushPayload(ring, 7, 0), Push::kPushed);
        ExpectPayload(ring, 7, 0);
      }
      ASSERT_EQ(PushPayload(ring, bytes + 1, bytes), Push::kPushed);
      ExpectPayload(ring, bytes + 1, bytes);
      EXPECT_TRUE(ring.consumer.Empty());
    }
  }
}

TEST(Ring, KeepsOrderWhileItWrapsManyTimes) {
  Ring ring(16);
  uint32_t pushed = 0, popped = 0;
  while (popped < 5000) {
    while (PushPayload(ring, pushed, pushed * 7 % 60) == Push::kPushed) ++pushed;
    do {
      ExpectPayload(ring, popped, popped * 7 % 60);
      ++popped;
    } while (!ring.consumer.Empty() && popped % 3 != 0);
  }
}

TEST(Ring, TakesARecordThatFillsItExactlyAndNothingMore) {
  Ring ring(8);
  EXPECT_EQ(PushPayload(ring, 1, 56), Push::kPushed);
  EXPECT_EQ(PushPayload(ring, 2, 0), Push::kFull);
  ExpectPayload(ring, 1, 56);
  EXPECT_EQ(PushPayload(ring, 3, 56), Push::kPushed);
  ExpectPayload(ring, 3, 56);
}

TEST(Ring, IsFullWhenARecordWouldOverlapTheOldestByOneWord) {
  Ring ring(8);
  ASSERT_EQ(PushPayload(ring, 1, 24), Push::kPushed);  // 4 words
  EXPECT_EQ(PushPayload(ring, 2, 25), Push::kFull);    // 5 words
  EXPECT_EQ(PushPayload(ring, 3, 24), Push::kPushed);  // 4 words
  ExpectPayload(ring, 1, 24);
  ExpectPayload(ring, 3, 24);
}

TEST(Ring, RefusesARecordLongerThanItself) {
  Ring ring(8);
  EXPECT_EQ(PushPayload(ring, 1, 57), Push::kTooLarge);
  EXPECT_EQ(ring.producer.TryPush(1, nullptr, UINT32_MAX), Push::kTooLarge);
  EXPECT_FALSE(ring.producer.PrepareToSleep(57));  // it would sleep for ever
  EXPECT_TRUE(ring.consumer.Empty());
  EXPECT_EQ(PushPayload(ring, 2, 56), Push::kPushed);
}

TEST(Ring, FillsTheRestOfTheLastWordWithZeros) {
  Ring ring(8);
  ring.cells.assign(8, ~uint64_t{0});
  const uint8_t byte = 0x11;
  ASSERT_EQ(ring.producer.TryPush(1, &byte, 1), Push::kPushed);
  EXPECT_EQ(ring.cells[1], 0x11u);
}

TEST(Ring, LetsTheConsumerSleepOnlyWhileItIsEmpty) {
  Ring ring(8);
  EXPECT_FALSE(ring.producer.ConsumerNeedsWake());
  EXPECT_TRUE(ring.consumer.PrepareToSleep());
  ASSERT_EQ(PushPayload(ring, 1, 8), Push::kPushed);
  EXPECT_TRUE(ring.producer.ConsumerNeedsWake());
  EXPECT_FALSE(ring.producer.ConsumerNeedsWake());  // one sleep, one wake-up
  EXPECT_FALSE(ring.consumer.PrepareToSleep());
  EXPECT_FALSE(ring.producer.ConsumerNeedsWake());  // it took its flag back
  ExpectPayload(ring, 1, 8);
  EXPECT_TRUE(ring.consumer.PrepareToSleep());
  ring.consumer.CancelSleep();
  EXPECT_FALSE(ring.producer.ConsumerNeedsWake());
}

TEST(Ring, LetsTheProducerSleepOnlyWhileThereIsNoRoom) {
  Ring ring(8);
  EXPECT_FALSE(ring.producer.PrepareToSleep(56));
  ASSERT_EQ(PushPayload(ring, 1, 24), Push::kPushed);
  EXPECT_FALSE(ring.producer.PrepareToSleep(24));
  EXPECT_FALSE(ring.consumer.ProducerNeedsWake());
  EXPECT_TRUE(ring.producer.PrepareToSleep(25));
  ExpectPayload(ring, 1, 24);
  EXPECT_TRUE(ring.consumer.ProducerNeedsWake());
  EXPECT_FALSE(ring.consumer.ProducerNeedsWake());
  EXPECT_FALSE(ring.producer.PrepareToSleep(25));
  EXPECT_FALSE(ring.consumer.ProducerNeedsWake());
}

TEST(Futex, DoesNotSleepWhenTheWordHasChanged) {
  std::atomic<uint32_t> word{0};
  EXPECT_EQ(FutexWait(&word, 1, 60'000), FutexWaitResult::kChanged);
}

TEST(Futex, GivesUpWhenNobodyWakesIt) {
  std::atomic<uint32_t> word{1};
  EXPECT_EQ(FutexWait(&word, 1, 1), FutexWaitResult::kTimedOut);
  EXPECT_EQ(FutexWait(&word, 1, -1), FutexWaitResult::kTimedOut);
  EXPECT_EQ(FutexWake(&word), 0);
}

// Two threads that sleep whenever they can. The time limit of a park is far longer than the whole
// test: a lost wake-up shows as a timeout.
void RunTwoThreads(uint32_t words, uint32_t records, uint32_t max_bytes) {
  constexpr int64_t kParkMs = 20'000;
  auto ring = std::make_unique<Ring>(words);
  std::atomic<int> lost_wakes{0};

  std::thread consumer([&] {
    std::vector<uint8_t> buffer(max_bytes);
    for (uint32_t i = 0; i < records; ++i) {
      uint32_t type = 0, bytes = 0;
      Pop pop;
      while ((pop = ring->consumer.TryPop(buffer.data(), max_bytes, &type, &bytes)) ==
             Pop::kEmpty) {
        if (ring->consumer.PrepareToSleep()) {
          if (FutexWait(&ring->control.consumer_asleep, 1, kParkMs) == FutexWaitResult::kTimedOut) {
            ++lost_wakes;
          }
          ring->consumer.CancelSleep();
        }
      }
      ASSERT_EQ(pop, Pop::kPopped);
      if (ring->consumer.ProducerNeedsWake()) FutexWake(&ring->control.producer_asleep);
      ASSERT_EQ(type, i);
      ASSERT_EQ(bytes, i * 2654435761u % (max_bytes + 1));
      for (uint32_t at = 0; at < bytes; ++at) {
        if (buffer[at] != static_cast<uint8_t>(i + at)) FAIL() << "record " << i << ", byte " << at;
      }
    }
  });

  std::vector<uint8_t> payload(max_bytes);
  bool failed = false;
  for (uint32_t i = 0; i < records && !failed; ++i) {
    const uint32_t bytes = i * 2654435761u % (max_bytes + 1);
    for (uint32_t at = 0; at < bytes; ++at) payload[at] = static_cast<uint8_t>(i + at);
    Push push;
    while ((push = ring->producer.TryPush(i, payload.data(), bytes)) == Push::kFull) {
      if (ring->producer.PrepareToSleep(bytes)) {
        if (FutexWait(&ring->control.producer_asleep, 1, kParkMs) == FutexWaitResult::kTimedOut) {
          failed = ++lost_wakes > 1;  // the consumer gave up: do not wait for it for ever
          if (failed) break;
        }
        ring->producer.CancelSleep();
      }
    }
    if (!failed && push != Push::kPushed) {
      ADD_FAILURE() << "push of record " << i;
      failed = true;
    }
    if (ring->producer.ConsumerNeedsWake()) FutexWake(&ring->control.consumer_asleep);
  }
  consumer.join();
  EXPECT_FALSE(failed);
  EXPECT_EQ(lost_wakes, 0);
  EXPECT_TRUE(ring->consumer.Empty());
}

TEST(Ring, CarriesMillionsOfRecordsBetweenTwoThreadsThatSleep) { RunTwoThreads(64, 2'000'000, 60); }

TEST(Ring, CarriesRecordsWhenOnlyOneFitsAtATime) { RunTwoThreads(8, 100'000, 56); }

}  // namespace
}  // namespace consort
