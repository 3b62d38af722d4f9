// What one record costs through the ring: 56 bytes is a bare result, 300 one with five tags.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "shared/ring/futex.h"
#include "shared/ring/real_policy.h"

namespace consort {
namespace {

constexpr uint32_t kWords = 8192;  // 64 KiB
constexpr uint32_t kMaxBytes = 512;
constexpr uint32_t kStop = 1;  // record type

struct Ring {
  RealRingControl control{};
  std::vector<uint64_t> cells = std::vector<uint64_t>(kWords);
};

// One thread: the instructions alone, with the fences of both sides.
void PushAndPop(benchmark::State& state) {
  Ring ring;
  RealRingProducer producer(&ring.control, ring.cells.data(), kWords);
  RealRingConsumer consumer(&ring.control, ring.cells.data(), kWords);
  const auto bytes = static_cast<uint32_t>(state.range(0));
  uint8_t payload[kMaxBytes] = {};
  uint8_t buffer[kMaxBytes];
  uint32_t type = 0, got = 0;
  for (auto _ : state) {
    producer.TryPush(0, payload, bytes);
    benchmark::DoNotOptimize(producer.ConsumerNeedsWake());
    consumer.TryPop(buffer, kMaxBytes, &type, &got);
    benchmark::DoNotOptimize(consumer.ProducerNeedsWake());
    benchmark::DoNotOptimize(buffer);
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(PushAndPop)->Arg(56)->Arg(300);

void SleepingConsumer(Ring& ring) {
  RealRingConsumer consumer(&ring.control, ring.cells.data(), kWords);
  uint8_t buffer[kMaxBytes];
  uint32_t type = 0, bytes = 0;
  while (type != kStop) {
    if (consumer.TryPop(buffer, kMaxBytes, &type, &bytes) == RealRingConsumer::Pop::kPopped) {
      benchmark::DoNotOptimize(buffer);
      if (consumer.ProducerNeedsWake()) FutexWake(&ring.control.producer_asleep);
    } else if (consumer.PrepareToSleep()) {
      FutexWait(&ring.control.consumer_asleep, 1, 1000);
      consumer.CancelSleep();
    }
  }
}

void SleepingPush(Ring& ring, RealRingProducer& producer, uint32_t type, const void* payload,
                  uint32_t bytes) {
  while (producer.TryPush(type, payload, bytes) != RealRingProducer::Push::kPushed) {
    if (producer.PrepareToSleep(bytes)) {
      FutexWait(&ring.control.producer_asleep, 1, 1000);
      producer.CancelSleep();
    }
  }
  if (producer.ConsumerNeedsWake()) FutexWake(&ring.control.consumer_asleep);
}

// Two threads as fast as they can, each asleep whenever it has to wait.
void TwoThreads(benchmark::State& state) {
  Ring ring;
  RealRingProducer producer(&ring.control, ring.cells.data(), kWords);
  std::thread consumer([&ring] { SleepingConsumer(ring); });
  const auto bytes = static_cast<uint32_t>(state.range(0));
  uint8_t payload[kMaxBytes] = {};
  for (auto _ : state) SleepingPush(ring, producer, 0, payload, bytes);
  SleepingPush(ring, producer, kStop, payload, 0);
  consumer.join();
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(TwoThreads)->Arg(56)->Arg(300)->UseRealTime();

// One record there, one back, both sides asleep in between: the price of a wake-up, twice.
void RoundTripWithSleep(benchmark::State& state) {
  Ring there, back;
  RealRingProducer producer(&there.control, there.cells.data(), kWords);
  RealRingConsumer consumer(&back.control, back.cells.data(), kWords);
  std::thread echo([&] {
    RealRingConsumer in(&there.control, there.cells.data(), kWords);
    RealRingProducer out(&back.control, back.cells.data(), kWords);
    uint8_t buffer[kMaxBytes];
    uint32_t type = 0, bytes = 0;
    while (type != kStop) {
      if (in.TryPop(buffer, kMaxBytes, &type, &bytes) == RealRingConsumer::Pop::kPopped) {
        SleepingPush(back, out, type, buffer, bytes);
      } else if (in.PrepareToSleep()) {
        FutexWait(&there.control.consumer_asleep, 1, 1000);
        in.CancelSleep();
      }
    }
  });
  const auto bytes = static_cast<uint32_t>(state.range(0));
  uint8_t payload[kMaxBytes] = {};
  uint32_t type = 0, got = 0;
  auto round_trip = [&](uint32_t kind) {
    SleepingPush(there, producer, kind, payload, bytes);
    while (consumer.TryPop(payload, kMaxBytes, &type, &got) != RealRingConsumer::Pop::kPopped) {
      if (consumer.PrepareToSleep()) {
        FutexWait(&back.control.consumer_asleep, 1, 1000);
        consumer.CancelSleep();
      }
    }
  };
  for (auto _ : state) round_trip(0);
  round_trip(kStop);
  echo.join();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(RoundTripWithSleep)->Arg(56)->Arg(300)->UseRealTime();

}  // namespace
}  // namespace consort

BENCHMARK_MAIN();
