// Runs shared/ring/ring.h itself under relacy: a producer and a consumer on a ring so small that it
// wraps, fills and empties all the time. Checked in every interleaving tried: no data race on any
// cell, no cell outside the ring, every record whole and in order, and nobody asleep for ever.
//
//   ring_model [INTERLEAVINGS_PER_SUITE [SUITE]]      default 300,000, all suites
//
// Prints one line a suite. Exit 1 at the first failure, with the history that led there.
#include "tests/model/relacy/relacy_policy.h"

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <streambuf>
#include <string>

namespace model {

using Control = consort::RingControl<RelacyPolicy>;
using Producer = consort::RingProducer<RelacyPolicy>;
using Consumer = consort::RingConsumer<RelacyPolicy>;

// How the two sides wait for one another.
struct Poll {  // no sleeping: only the ring's own orders hold the data together
  void Init() {}
  void Deinit() {}
  void Wait(rl::atomic<uint32_t>*, int) {}
  void Wake(rl::atomic<uint32_t>*, int) {}
};
struct Futex {  // as the worker's engines do
  void Init() {}
  void Deinit() {}
  void Wait(rl::atomic<uint32_t>* flag, int) { FutexWait(flag, 1); }
  void Wake(rl::atomic<uint32_t>* flag, int) { FutexWake(flag); }
};
struct Event {  // as the supervisor does: an eventfd remembers a wake-up that came too early
  rl::generic_event events[2];
  void Init() {
    for (auto& event : events) event.init(false, false, RL_INFO);
  }
  void Deinit() {
    for (auto& event : events) event.deinit(RL_INFO);
  }
  void Wait(rl::atomic<uint32_t>*, int side) { events[side].wait(false, false, RL_INFO); }
  void Wake(rl::atomic<uint32_t>*, int side) { events[side].set(RL_INFO); }
};

template <class Park, bool kSleeps, uint32_t kCapacityWords, int kRecords>
struct Suite : rl::test_suite<Suite<Park, kSleeps, kCapacityWords, kRecords>, 2> {
  enum Side { kConsumer, kProducer };
  static constexpr uint32_t kMaxBytes = (kCapacityWords - 1) * 8;

  Control control;
  rl::var<uint64_t> cells[kCapacityWords];
  Park park;

  void before() {
    RelacyPolicy::Begin() = cells;
    RelacyPolicy::End() = cells + kCapacityWords;
    control.tail.store(0, rl::mo_relaxed, RL_INFO);
    control.head.store(0, rl::mo_relaxed, RL_INFO);
    control.consumer_asleep.store(0, rl::mo_relaxed, RL_INFO);
    control.producer_asleep.store(0, rl::mo_relaxed, RL_INFO);
    park.Init();
  }
  void after() { park.Deinit(); }

  // Of record i. In a ring of four words, records are 2, 3, 4, 2, 4 and 1 words long, some full to
  // the last byte, and the third's payload goes round the end with something on both sides.
  static uint32_t Bytes(int i) {
    constexpr uint32_t kBytes[] = {8, 16, 24, 3, 17, 0};
    return kBytes[i % 6] % (kMaxBytes + 1);
  }
  static unsigned char Byte(int i, uint32_t at) {
    return static_cast<unsigned char>(0x11 * (i + 1) + static_cast<int>(at));
  }

  void thread(unsigned index) {
    if (index == 0) {
      Produce();
    } else {
      Consume();
    }
  }

  void Produce() {
    Producer ring(&control, cells, kCapacityWords);
    unsigned char payload[kMaxBytes];
    for (int i = 0; i < kRecords; ++i) {
      const uint32_t bytes = Bytes(i);
      for (uint32_t at = 0; at < bytes; ++at) payload[at] = Byte(i, at);
      for (;;) {
        const Producer::Push push = ring.TryPush(static_cast<uint32_t>(i), payload, bytes);
        if (push == Producer::Push::kPushed) break;
        RL_ASSERT(push == Producer::Push::kFull);
        WaitForRoom(ring, bytes);
      }
      if (kSleeps && ring.ConsumerNeedsWake()) park.Wake(&control.consumer_asleep, kConsumer);
    }
  }

  void Consume() {
    Consumer ring(&control, cells, kCapacityWords);
    unsigned char payload[kMaxBytes];
    for (int i = 0; i < kRecords; ++i) {
      uint32_t type = 0, bytes = 0;
      for (;;) {
        const Consumer::Pop pop = ring.TryPop(payload, kMaxBytes, &type, &bytes);
        if (pop == Consumer::Pop::kPopped) break;
        RL_ASSERT(pop == Consumer::Pop::kEmpty);
        WaitForRecord(ring);
      }
      if (kSleeps && ring.ProducerNeedsWake()) park.Wake(&control.producer_asleep, kProducer);
      RL_ASSERT(type == static_cast<uint32_t>(i));
      RL_ASSERT(bytes == Bytes(i));
      for (uint32_t at = 0; at < bytes; ++at) RL_ASSERT(payload[at] == Byte(i, at));
    }
    RL_ASSERT(ring.Empty());
  }

  void WaitForRoom(Producer& ring, uint32_t bytes) {
    if (!kSleeps) {
      rl::yield(1, RL_INFO);
    } else if (ring.PrepareToSleep(bytes)) {
      park.Wait(&control.producer_asleep, kProducer);
      ring.CancelSleep();
    }
  }
  void WaitForRecord(Consumer& ring) {
    if (!kSleeps) {
      rl::yield(1, RL_INFO);
    } else if (ring.PrepareToSleep()) {
      park.Wait(&control.consumer_asleep, kConsumer);
      ring.CancelSleep();
    }
  }
};

// Holds relacy's report. Of fixed size: relacy replaces operator new in this program and not in
// libstdc++, so a stream that grows would be freed by the wrong one.
class Report : public std::streambuf {
 public:
  Report() { setp(text_, text_ + sizeof(text_)); }
  int Length() const { return static_cast<int>(pptr() - pbase()); }
  const char* Text() const { return text_; }

 protected:
  int overflow(int c) override { return c; }  // the rest is lost

 private:
  char text_[1 << 20];
};

template <class SuiteType>
bool Check(const char* name, rl::iteration_t iterations) {
  static Report report;
  std::ostream text(&report);
  rl::test_params params;
  params.iteration_count = iterations;
  params.output_stream = &text;
  params.progress_stream = &text;
  params.progress_output_period = 3600;
  params.execution_depth_limit = 20000;
  const bool clean = rl::simulate<SuiteType>(params);
  if (clean) {
    std::printf("relacy %s: clean, %llu interleavings\n", name,
                static_cast<unsigned long long>(params.stop_iteration));
  } else {
    std::printf(
        "relacy %s: %s at iteration %llu\n%.*s\n", name, rl::test_result_str(params.test_result),
        static_cast<unsigned long long>(params.stop_iteration), report.Length(), report.Text());
  }
  std::fflush(stdout);
  return clean;
}

}  // namespace model

int main(int argc, char** argv) {
  using namespace model;
  const auto iterations =
      static_cast<rl::iteration_t>(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 300000);
  const std::string only = argc > 2 ? argv[2] : "";
  bool clean = true;
  const auto run = [&](const char* name, bool (*check)(const char*, rl::iteration_t)) {
    if (clean && (only.empty() || only == name)) clean = check(name, iterations);
  };
  run("polling", Check<Suite<Poll, false, 4, 5>>);
  run("futex", Check<Suite<Futex, true, 4, 5>>);
  run("one-fits", Check<Suite<Futex, true, 2, 6>>);
  run("eventfd", Check<Suite<Event, true, 4, 5>>);
  return clean ? 0 : 1;
}
