// The ring when the other side lies, or dies between any two stores.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "shared/ring/real_policy.h"

namespace consort {
namespace {

using Push = RealRingProducer::Push;
using Pop = RealRingConsumer::Pop;
constexpr uint32_t kWords = 8;

uint64_t Header(uint32_t bytes) { return uint64_t{9} << 32 | bytes; }

// The shared memory, to be written by the test as a hostile peer would.
class HostileRing : public testing::Test {
 protected:
  Pop TryPop(uint32_t capacity = sizeof(buffer_)) {
    return consumer_.TryPop(buffer_, capacity, &type_, &bytes_);
  }
  // One wrong thing is enough, and is never forgiven.
  void ExpectCorruptForGood() {
    EXPECT_EQ(TryPop(), Pop::kCorrupt);
    EXPECT_FALSE(consumer_.Empty());
    EXPECT_FALSE(consumer_.PrepareToSleep());
    cells_[0] = Header(0);
    control_.tail = 1;
    EXPECT_EQ(TryPop(), Pop::kCorrupt);
  }

  RealRingControl control_{};
  // Guard words on both sides: nobody may read or write there.
  uint64_t memory_[kWords + 16] = {};
  uint64_t* cells_ = memory_ + 8;
  RealRingProducer producer_{&control_, cells_, kWords};
  RealRingConsumer consumer_{&control_, cells_, kWords};
  uint8_t buffer_[256] = {};
  uint32_t type_ = 0;
  uint32_t bytes_ = 0;
};

TEST_F(HostileRing, RejectsATailFurtherAheadThanTheRingIsLong) {
  control_.tail = kWords + 1;
  ExpectCorruptForGood();
}

TEST_F(HostileRing, RejectsATailThatWentBack) {
  cells_[0] = Header(8);
  control_.tail = 2;
  ASSERT_EQ(TryPop(), Pop::kPopped);
  control_.tail = 1;
  ExpectCorruptForGood();
}

TEST_F(HostileRing, RejectsATailAtTheEndOfNumbers) {
  control_.tail = UINT64_MAX;
  ExpectCorruptForGood();
}

TEST_F(HostileRing, RejectsARecordLongerThanWhatIsPublished) {
  cells_[0] = Header(9);  // 3 words
  control_.tail = 2;
  ExpectCorruptForGood();
}

TEST_F(HostileRing, RejectsTheLongestLengthThereIs) {
  for (uint32_t bytes : {UINT32_MAX, UINT32_MAX - 6, UINT32_MAX - 7, 0x80000000u}) {
    RealRingConsumer consumer(&control_, cells_, kWords);
    cells_[0] = Header(bytes);
    control_.tail = kWords;
    EXPECT_EQ(consumer.TryPop(buffer_, UINT32_MAX, &type_, &bytes_), Pop::kCorrupt) << bytes;
  }
}

TEST_F(HostileRing, RejectsARecordLongerThanTheBufferAndLeavesTheBufferAlone) {
  cells_[0] = Header(56);
  std::memset(cells_ + 1, 0xFF, 56);
  control_.tail = kWords;
  EXPECT_EQ(TryPop(55), Pop::kCorrupt);
  for (uint8_t byte : buffer_) ASSERT_EQ(byte, 0);
  ExpectCorruptForGood();
}

TEST_F(HostileRing, AcceptsARecordThatIsExactlyWhatIsPublishedAndFits) {
  cells_[0] = Header(56);
  control_.tail = kWords;
  EXPECT_EQ(TryPop(56), Pop::kPopped);
  EXPECT_EQ(type_, 9u);
  EXPECT_EQ(bytes_, 56u);
}

TEST_F(HostileRing, ReaderIgnoresItsOwnPositionWhenThePeerOverwritesIt) {
  cells_[0] = Header(0);
  cells_[1] = Header(8);
  cells_[2] = 0x1122;
  control_.tail = 1;
  ASSERT_EQ(TryPop(), Pop::kPopped);
  control_.head = 77;
  control_.tail = 3;
  ASSERT_EQ(TryPop(), Pop::kPopped);
  EXPECT_EQ(bytes_, 8u);
  EXPECT_EQ(buffer_[0], 0x22);
  EXPECT_EQ(control_.head, 3u);
}

TEST_F(HostileRing, WriterIgnoresItsOwnPositionWhenThePeerOverwritesIt) {
  ASSERT_EQ(producer_.TryPush(1, nullptr, 0), Push::kPushed);
  control_.tail = 6;
  ASSERT_EQ(producer_.TryPush(2, nullptr, 0), Push::kPushed);
  EXPECT_EQ(control_.tail, 2u);
  EXPECT_EQ(cells_[1], uint64_t{2} << 32);
}

TEST_F(HostileRing, WriterRejectsAHeadPastItsTail) {
  const uint8_t payload[56] = {};
  ASSERT_EQ(producer_.TryPush(1, payload, 56), Push::kPushed);
  control_.head = kWords + 1;
  EXPECT_EQ(producer_.TryPush(2, payload, 0), Push::kCorrupt);
  EXPECT_FALSE(producer_.PrepareToSleep(0));
  control_.head = kWords;
  EXPECT_EQ(producer_.TryPush(3, payload, 0), Push::kCorrupt);
}

TEST_F(HostileRing, WriterRejectsAHeadThatWentBack) {
  const uint8_t payload[56] = {};
  ASSERT_EQ(producer_.TryPush(1, payload, 56), Push::kPushed);
  control_.head = kWords;
  ASSERT_EQ(producer_.TryPush(2, payload, 56), Push::kPushed);
  control_.head = kWords - 1;
  EXPECT_EQ(producer_.TryPush(3, payload, 0), Push::kCorrupt);
}

TEST_F(HostileRing, NeverTouchesMemoryOutsideItsCellsWhateverTheSharedWordsAre) {
  uint64_t random = 1;
  auto next = [&random] {
    random = random * 6364136223846793005u + 1442695040888963407u;
    const uint64_t value = random >> 29;
    switch (value % 4) {
      case 0:
        return value / 4 % 20;  // plausible
      case 1:
        return ~(value / 4 % 20);  // just below the end of numbers
      case 2:
        return value / 4 % 70 | uint64_t{3} << 32;  // a plausible header
      default:
        return random;
    }
  };
  for (uint64_t& word : memory_) word = 0xABABABAB;
  int popped = 0;
  for (int round = 0; round < 20'000; ++round) {
    RealRingConsumer consumer(&control_, cells_, kWords);
    RealRingProducer producer(&control_, cells_, kWords);
    for (int i = 0; i < 6; ++i) {
      control_.tail = next();
      control_.head = next();
      for (uint32_t w = 0; w < kWords; ++w) cells_[w] = next();
      const uint32_t capacity = 40;
      std::memset(buffer_, 0, sizeof(buffer_));
      if (consumer.TryPop(buffer_, capacity, &type_, &bytes_) == Pop::kPopped) {
        ++popped;
        ASSERT_LE(bytes_, capacity);
      }
      for (size_t at = capacity; at < sizeof(buffer_); ++at) ASSERT_EQ(buffer_[at], 0);
      producer.TryPush(5, buffer_, static_cast<uint32_t>(next() % 64));
    }
    for (int guard = 0; guard < 8; ++guard) {
      ASSERT_EQ(memory_[guard], 0xABABABAB);
      ASSERT_EQ(memory_[8 + kWords + guard], 0xABABABAB);
    }
  }
  EXPECT_GT(popped, 100);  // it was not all refused at the door
}

// A process that dies: every store of the ring's is counted, and the n-th is not made any more.
struct Died {};
struct MortalPolicy : RealPolicy {
  static inline int stores_left = 0;
  static void Step() {
    if (stores_left-- == 0) throw Died{};
  }
  template <typename T>
  static void StoreRelease(std::atomic<T>* to, T value) {
    Step();
    RealPolicy::StoreRelease(to, value);
  }
  template <typename T>
  static void StoreRelaxed(std::atomic<T>* to, T value) {
    Step();
    RealPolicy::StoreRelaxed(to, value);
  }
  template <typename T>
  static T ExchangeRelaxed(std::atomic<T>* to, T value) {
    Step();
    return RealPolicy::ExchangeRelaxed(to, value);
  }
  static void WriteWord(Cell* cell, uint64_t value) {
    Step();
    RealPolicy::WriteWord(cell, value);
  }
  static void CopyIn(Cell* to, const unsigned char* from, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes; at += 8) {  // word by word, so that it can die in between
      Step();
      RealPolicy::CopyIn(to + at / 8, from + at, bytes - at < 8 ? bytes - at : 8);
    }
  }
};

TEST(DyingRing, HoldsWholeRecordsOnlyWhereverItsProducerDied) {
  constexpr uint32_t kRecords = 3;
  int most_left = 0;
  for (uint32_t offset = 0; offset < kWords; ++offset) {
    for (int death = 0;; ++death) {
      RingControl<MortalPolicy> control{};
      uint64_t cells[kWords];
      for (uint64_t& cell : cells) cell = 0xDDDDDDDDDDDDDDDD;
      RingProducer<MortalPolicy> producer(&control, cells, kWords);
      RingConsumer<MortalPolicy> consumer(&control, cells, kWords);
      uint8_t buffer[64];
      uint32_t type = 0, bytes = 0;
      MortalPolicy::stores_left = 1000;
      for (uint32_t i = 0; i < offset; ++i) {
        producer.TryPush(1, nullptr, 0);
        consumer.TryPop(buffer, sizeof(buffer), &type, &bytes);
      }
      consumer.PrepareToSleep();
      MortalPolicy::stores_left = death;
      uint32_t returned = 0;  // pushes that came back before the death
      bool died = false;
      try {
        for (uint32_t i = 0; i < kRecords; ++i) {
          uint8_t payload[12];
          std::memset(payload, static_cast<int>(i + 1), sizeof(payload));
          const uint32_t length = 4 + 4 * i;  // 2, 2 and 3 words
          ASSERT_EQ(producer.TryPush(i, payload, length),
                    RingProducer<MortalPolicy>::Push::kPushed);
          ++returned;
          producer.ConsumerNeedsWake();
        }
      } catch (const Died&) {
        died = true;
      }
      MortalPolicy::stores_left = 1000;
      uint32_t found = 0;
      while (consumer.TryPop(buffer, sizeof(buffer), &type, &bytes) ==
             RingConsumer<MortalPolicy>::Pop::kPopped) {
        ASSERT_EQ(type, found);
        ASSERT_EQ(bytes, 4 + 4 * found);
        for (uint32_t at = 0; at < bytes; ++at) ASSERT_EQ(buffer[at], found + 1);
        ++found;
      }
      EXPECT_EQ(found, returned) << "death before store " << death;
      EXPECT_TRUE(consumer.Empty());
      if (!died) {
        most_left = death;
        break;
      }
    }
  }
  EXPECT_EQ(most_left, 11);  // 3 headers, 4 words of payload, 3 tails, 1 flag: all were tried
}

TEST(DyingRing, ProducerSeesOneRecordFreedOrNotWhereverItsConsumerDied) {
  for (int death = 0;; ++death) {
    RingControl<MortalPolicy> control{};
    uint64_t cells[kWords] = {};
    RingProducer<MortalPolicy> producer(&control, cells, kWords);
    RingConsumer<MortalPolicy> consumer(&control, cells, kWords);
    uint8_t buffer[64] = {};
    uint32_t type = 0, bytes = 0;
    MortalPolicy::stores_left = 1000;
    using MortalPush = RingProducer<MortalPolicy>::Push;
    ASSERT_EQ(producer.TryPush(1, buffer, 24), MortalPush::kPushed);
    ASSERT_EQ(producer.TryPush(2, buffer, 24), MortalPush::kPushed);
    ASSERT_TRUE(producer.PrepareToSleep(24));
    MortalPolicy::stores_left = death;
    bool returned = false, died = false;
    try {
      consumer.TryPop(buffer, sizeof(buffer), &type, &bytes);
      returned = true;
      consumer.ProducerNeedsWake();
    } catch (const Died&) {
      died = true;
    }
    MortalPolicy::stores_left = 1000;
    EXPECT_EQ(producer.TryPush(3, buffer, 24), returned ? MortalPush::kPushed : MortalPush::kFull);
    if (!died) {
      EXPECT_EQ(death, 2);  // head, flag
      break;
    }
  }
}

}  // namespace
}  // namespace consort
