// A single-producer single-consumer ring of records in memory shared by two processes, neither of
// which trusts the other, either of which may die between any two instructions.
//
// Exactly one thread holds the RingProducer and one the RingConsumer of a ring; each may be in its
// own process. Memory full of zeros is an empty ring. A ring lives as long as one worker: nobody
// attaches to a ring that has been used. Nothing here blocks, allocates, or calls the kernel.
//
//   control, 256 bytes, one 64-byte cache line each:
//   0               64              128                 192                 256
//   | tail u64      | head u64      | consumer_asleep   | producer_asleep   |
//   | by producer   | by consumer   |   u32, by both    |   u32, by both    |
//
//   cells, capacity_words words of 8 bytes, a power of two; word w lives in cell w %
//   capacity_words:
//        head                          tail
//   -----|H pppp pppp|H pp|H pppp pppp p|-----     H: payload bytes u32 (low half), type u32
//
// head and tail count words since the start and never go back. A record is one header word and its
// payload, rounded up to words (the rest of the last word is zero); a payload may go round the end.
//
// Publishing: cells first, then one release store of tail. A producer that dies before that store
// leaves nothing, one that dies after it leaves the whole record.
//
// Trust: each side keeps its own position in private memory and never reads it back. What it reads
// of the other side's is checked each time: it must not go back, and 0 <= tail - head <= capacity;
// a record must lie within what is published and fit the reader's buffer. A header is read once,
// and a record is copied out before anybody looks at it. Once something was wrong the ring is
// corrupt for that side for good.
//
// Sleeping (Dekker's pattern): the sleeper sets its flag, fences, looks again; the waker publishes,
// fences, looks at the flag. The fences are ordered one way or the other, so at least one of them
// sees the other's store, and no wake-up is lost. The park itself is the caller's: a futex on the
// flag's own word, or an eventfd, and always bounded in time, since the other side may be dead or
// lying.
//
//   consumer                                       producer
//   while (TryPop(...) == Pop::kEmpty)             TryPush(...);
//     if (PrepareToSleep()) {                      if (ConsumerNeedsWake()) FutexWake(...);
//       FutexWait(&control->consumer_asleep, 1, timeout_ms);
//       CancelSleep();
//     }
//
// Policy gives atomics, fences and data cells (RealPolicy in real_policy.h is what runs). The same
// text is compiled as C++14 with relacy's in tests/model/relacy, which is why it is plain.
#pragma once

#include <cstddef>
#include <cstdint>

namespace consort {

constexpr uint32_t kRingVersion = 1;  // of the layout above
constexpr uint32_t kRingWordBytes = 8;

// Words a record of so many payload bytes takes.
constexpr uint64_t RingRecordWords(uint32_t bytes) {
  return 1 + (uint64_t{bytes} + kRingWordBytes - 1) / kRingWordBytes;
}

template <class Policy>
struct RingControl {
  alignas(Policy::kLineBytes) typename Policy::AtomicU64 tail;
  alignas(Policy::kLineBytes) typename Policy::AtomicU64 head;
  alignas(Policy::kLineBytes) typename Policy::AtomicU32 consumer_asleep;
  alignas(Policy::kLineBytes) typename Policy::AtomicU32 producer_asleep;
};

// Copies a payload to or from the words that begin at `position`; the cells end where they do, so
// there may be two pieces.
template <class Policy>
struct RingCells {
  using Cell = typename Policy::Cell;

  Cell* At(uint64_t position) const { return cells + (position & (capacity_words - 1)); }

  uint32_t FirstPiece(uint64_t position, uint32_t bytes) const {
    const uint64_t words_to_end = capacity_words - (position & (capacity_words - 1));
    const uint64_t bytes_to_end = words_to_end * kRingWordBytes;
    return bytes < bytes_to_end ? bytes : static_cast<uint32_t>(bytes_to_end);
  }

  void CopyIn(uint64_t position, const unsigned char* from, uint32_t bytes) const {
    const uint32_t first = FirstPiece(position, bytes);
    if (first > 0) Policy::CopyIn(At(position), from, first);
    if (bytes > first) Policy::CopyIn(cells, from + first, bytes - first);
  }

  void CopyOut(uint64_t position, unsigned char* to, uint32_t bytes) const {
    const uint32_t first = FirstPiece(position, bytes);
    if (first > 0) Policy::CopyOut(At(position), to, first);
    if (bytes > first) Policy::CopyOut(cells, to + first, bytes - first);
  }

  Cell* cells;
  uint64_t capacity_words;
};

template <class Policy>
class RingProducer {
 public:
  using Cell = typename Policy::Cell;
  enum class Push {
    kPushed,
    kFull,      // no room now
    kTooLarge,  // never any room: longer than the ring
    kCorrupt,   // the consumer wrote nonsense; nothing is pushed any more
  };

  RingProducer(RingControl<Policy>* control, Cell* cells, uint32_t capacity_words)
      : control_(control), cells_{cells, capacity_words} {}

  Push TryPush(uint32_t type, const void* payload, uint32_t bytes) {
    const uint64_t words = RingRecordWords(bytes);
    if (words > cells_.capacity_words) return Push::kTooLarge;
    if (!HasRoom(words)) return corrupt_ ? Push::kCorrupt : Push::kFull;
    Policy::WriteWord(cells_.At(tail_), uint64_t{type} << 32 | bytes);
    cells_.CopyIn(tail_ + 1, static_cast<const unsigned char*>(payload), bytes);
    tail_ += words;
    // Release: whoever sees this tail sees the cells. Relaxed, a consumer on another core could
    // take the new tail and still read the cells' old contents.
    Policy::StoreRelease(&control_->tail, tail_);
    return Push::kPushed;
  }

  // After one push or a batch of them. True: the consumer sleeps, or is about to, and it is this
  // caller's to wake it, now.
  bool ConsumerNeedsWake() {
    // Orders the store of tail before the load of the flag. Without it the load may be done first
    // (a store buffer does that on x86 too): we read 0, the consumer sets 1, looks, finds our tail
    // not there yet, sleeps; then our tail arrives and nobody is told.
    Policy::FenceSeqCst();
    if (Policy::LoadRelaxed(&control_->consumer_asleep) == 0) return false;
    // Exchange, so that one sleep is woken once. Relaxed: the waking call orders what matters, and
    // a consumer that wakes without it looks again by way of PrepareToSleep's fence.
    return Policy::ExchangeRelaxed(&control_->consumer_asleep, 0u) != 0;
  }

  // Before parking for want of room for a record of so many bytes. True: park, on
  // producer_asleep == 1, then CancelSleep(). False: do not, TryPush has an answer.
  bool PrepareToSleep(uint32_t bytes) {
    const uint64_t words = RingRecordWords(bytes);
    if (corrupt_ || words > cells_.capacity_words) return false;
    Policy::StoreRelaxed(&control_->producer_asleep, 1u);
    // Orders the store of the flag before the load of head in HasRoom; its partner is the fence in
    // ProducerNeedsWake. Without it we may read the old head, the consumer the old flag.
    Policy::FenceSeqCst();
    if (!HasRoom(words) && !corrupt_) return true;
    CancelSleep();
    return false;
  }

  // Relaxed: a consumer that still reads 1 makes one wake-up too many, which the next park returns
  // from at once.
  void CancelSleep() { Policy::StoreRelaxed(&control_->producer_asleep, 0u); }

 private:
  bool HasRoom(uint64_t words) {
    if (corrupt_) return false;
    if (tail_ + words - head_seen_ <= cells_.capacity_words) return true;
    // Acquire: the consumer's reads of the cells it freed are over before we write them again.
    // Relaxed, our next record could be read in the place of the one it is copying out.
    const uint64_t head = Policy::LoadAcquire(&control_->head);
    if (head - head_seen_ > tail_ - head_seen_) {  // went back, or past our tail
      corrupt_ = true;
      return false;
    }
    head_seen_ = head;
    return tail_ + words - head_seen_ <= cells_.capacity_words;
  }

  RingControl<Policy>* control_;
  RingCells<Policy> cells_;
  uint64_t tail_ = 0;       // ours; the shared one is a copy for the consumer
  uint64_t head_seen_ = 0;  // head_seen_ <= tail_ <= head_seen_ + capacity
  bool corrupt_ = false;
};

template <class Policy>
class RingConsumer {
 public:
  using Cell = typename Policy::Cell;
  enum class Pop {
    kPopped,
    kEmpty,
    kCorrupt,  // the producer wrote nonsense, or a record longer than the buffer; for good
  };

  RingConsumer(RingControl<Policy>* control, Cell* cells, uint32_t capacity_words)
      : control_(control), cells_{cells, capacity_words} {}

  // Copies the oldest record's payload to `buffer`, which has room for `capacity` bytes. `*type`
  // and `*bytes` are set when popped.
  Pop TryPop(void* buffer, uint32_t capacity, uint32_t* type, uint32_t* bytes) {
    if (!HasRecord()) return corrupt_ ? Pop::kCorrupt : Pop::kEmpty;
    const uint64_t header = Policy::ReadWord(cells_.At(head_));
    const uint32_t length = static_cast<uint32_t>(header);
    const uint64_t words = RingRecordWords(length);
    if (words > tail_seen_ - head_ || length > capacity) {
      corrupt_ = true;
      return Pop::kCorrupt;
    }
    cells_.CopyOut(head_ + 1, static_cast<unsigned char*>(buffer), length);
    *type = static_cast<uint32_t>(header >> 32);
    *bytes = length;
    head_ += words;
    // Release: our reads of these cells are done before the producer may see them free.
    Policy::StoreRelease(&control_->head, head_);
    return Pop::kPopped;
  }

  // After one pop or a batch of them; the mirror of ConsumerNeedsWake. The fence orders the store
  // of head before the load of the flag: without it the producer sleeps on a ring we just emptied.
  bool ProducerNeedsWake() {
    Policy::FenceSeqCst();
    if (Policy::LoadRelaxed(&control_->producer_asleep) == 0) return false;
    return Policy::ExchangeRelaxed(&control_->producer_asleep, 0u) != 0;
  }

  // Before parking for want of a record. True: park, on consumer_asleep == 1, then CancelSleep().
  // False: do not, TryPop has an answer.
  bool PrepareToSleep() {
    if (corrupt_) return false;
    Policy::StoreRelaxed(&control_->consumer_asleep, 1u);
    // Orders the store of the flag before the load of tail in Empty; its partner is the fence in
    // ConsumerNeedsWake.
    Policy::FenceSeqCst();
    if (Empty()) return true;
    CancelSleep();
    return false;
  }

  void CancelSleep() { Policy::StoreRelaxed(&control_->consumer_asleep, 0u); }

  // Nothing to pop now. False for a corrupt ring: TryPop says so.
  bool Empty() { return !HasRecord() && !corrupt_; }

  // Something was wrong at one of the calls so far.
  bool corrupt() const { return corrupt_; }

 private:
  bool HasRecord() {
    if (corrupt_) return false;
    if (tail_seen_ != head_) return true;
    // Acquire: pairs with the release in TryPush, so that the cells up to this tail are there.
    const uint64_t tail = Policy::LoadAcquire(&control_->tail);
    if (tail - head_ > cells_.capacity_words) {  // went back, or more than the ring holds
      corrupt_ = true;
      return false;
    }
    tail_seen_ = tail;
    return tail_seen_ != head_;
  }

  RingControl<Policy>* control_;
  RingCells<Policy> cells_;
  uint64_t head_ = 0;       // ours; the shared one is a copy for the producer
  uint64_t tail_seen_ = 0;  // head_ <= tail_seen_ <= head_ + capacity
  bool corrupt_ = false;
};

}  // namespace consort
