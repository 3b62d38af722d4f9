// Takes what an engine has published out of its ring and tells the dispatcher. All that the
// supervisor ever believes of a worker passes here, and nothing of it is trusted: a ring, a record
// or a word that cannot be true is a lie, and whoever called ends that worker. tests/fuzz writes
// anything at all into the ring.
//
// One thread uses an object, for any number of rings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "shared/channel/channel.h"
#include "shared/record/result.h"
#include "supervisor/dispatch/dispatcher.h"

namespace consort {

class ResultReader {
 public:
  struct Taken {
    size_t records = 0;
    bool honest =
        true;  // false: the last of them was a lie, or something that is no record followed
  };

  // At most `most` records; nothing after a lie. `each(type, status)` is called after each with
  // what the dispatcher's sink said.
  template <typename Each>
  Taken Take(Consumer& ring, Dispatcher& dispatcher, uint64_t worker, uint32_t engine, size_t most,
             Each each) {
    Taken taken;
    while (taken.records < most && taken.honest) {
      uint32_t type = 0;
      uint32_t bytes = 0;
      const auto popped =
          ring.TryPop(bytes_.data(), static_cast<uint32_t>(bytes_.size()), &type, &bytes);
      if (popped == Consumer::Pop::kEmpty) break;
      if (popped == Consumer::Pop::kCorrupt || !DecodeResult(type, bytes_.data(), bytes, record_)) {
        dispatcher.OnDamage(worker, engine);
        taken.honest = false;
        break;
      }
      each(type, dispatcher.OnRecord(worker, engine, record_, taken.honest));
      ++taken.records;
    }
    return taken;
  }

  // The one taken last: for `each`.
  const ResultRecord& record() const { return record_; }

 private:
  std::vector<uint8_t> bytes_ = std::vector<uint8_t>(kMaxResultBytes);
  ResultRecord record_;  // kept: its vector is used again
};

}  // namespace consort
