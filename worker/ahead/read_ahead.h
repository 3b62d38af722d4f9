// Reads what an engine will need next while it computes, so that slow storage does not add to the
// time of the model: the bytes themselves are thrown away, the kernel keeps them. Nothing that the
// engine reads comes from here, so nothing here can change a result.
//
// The kernel is advised of all that is wanted (posix_fadvise), so that latencies pass side by side,
// and then it is really read, for file systems that make nothing of the advice. Both may block.
//
// One thread an engine, started at the first need: never in a template, which must not have a
// second thread, and never where storage is fast. An engine asks for it once an opening or a read
// has taken long (kSlowNs), and it goes to sleep again when its own reads are quick. Where no
// thread can be started nothing is read ahead.
// CONSORT_READ_AHEAD=0 in the environment: never, for comparison.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "shared/base/unique_fd.h"
#include "worker/ahead/ahead_item.h"

namespace consort {

class ReadAhead {
 public:
  static constexpr int64_t kSlowNs = 5'000'000;        // of one opening, or one segment's reading
  static constexpr int64_t kChunkBytes = 1 << 20;      // in one read
  static constexpr int64_t kQuickChunkNs = 2'000'000;  // such a read did not wait
  static constexpr int kQuickInARow = 64;              // so many: storage is quick
  static constexpr int64_t kRestNs = 2'000'000'000;    // then nothing is asked for so long

  ReadAhead();
  ~ReadAhead();  // waits for the read in hand
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The engine's thread calls these; none waits for storage.
  // An opening or a read took so long.
  void Took(int64_t ns) {
    if (ns >= kSlowNs && !wanted_) Begin();
  }
  // Is there any use in Want?
  bool wanted() const { return wanted_; }
  // What is needed from now on, soonest first; replaces what was wanted before. What was read
  // already is not read again.
  void Want(std::vector<AheadItem> items, double usual_segment_bytes);

 private:
  struct Opened {
    AheadItem item;
    UniqueFd fd;
    AheadRange range;
  };
  void Begin();
  void Live();
  bool IsStale();
  bool StillWanted(const AheadItem& item);
  void Ask(const AheadItem& item, int64_t& budget, std::vector<Opened>& opened);
  // False: it is not wanted any more.
  bool Read(const Opened& it);

  std::atomic<bool> wanted_{false};
  std::atomic<int64_t> rest_until_ns_{0};
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex.
  std::vector<AheadItem> items_;
  double usual_segment_bytes_ = 0;
  bool fresh_ = false;  // items_ were not looked at yet
  bool ending_ = false;
  // The thread's own.
  std::vector<char> scratch_;
  std::vector<AheadItem> done_;  // the last ones
  int quick_ = 0;
};

}  // namespace consort
