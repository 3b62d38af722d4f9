// Workers that take nothing new, and are ended once they have finished their tasks, or their files.
// For what reason is known until they are gone. Used by the loop's thread alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/fleet/fleet.h"

namespace consort {

class RetiringWorkers {
 public:
  enum class Reason {
    kReplaced,  // for its memory: another one takes its place
    kGivenUp,   // for its memory, and nobody does
    kTooMany,   // fewer workers are wanted just now
    kStopping,  // the job stops, and what it is at would not come to anything
  };

  explicit RetiringWorkers(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  // False: it is one of them already, and remains so for the reason it had.
  bool Add(const Worker& worker, Reason reason);
  // For kReplaced, and not before the files that the state of its model stands in have ended, where
  // it has one.
  bool AddAfterItsFiles(const Worker& worker);
  // Nobody takes its place after all.
  void GiveUp(uint64_t worker) { workers_[worker].reason = Reason::kGivenUp; }
  // Now and then: ends those who have nothing in hand any more.
  void EndIdle(Fleet& fleet);
  // One that nobody needs, whatever it has in hand: that is done by another one.
  void EndNow(Fleet& fleet, Worker& worker, Reason reason);
  // It is gone, however it ended. The reason, if it was one of them.
  std::optional<Reason> Gone(uint64_t worker);

  bool empty() const { return workers_.empty(); }
  // nullopt: it is none of them.
  std::optional<Reason> Find(uint64_t worker) const;
  // It was told to end: what it has is as good as free.
  bool Ends(uint64_t worker) const;
  // Any for its memory.
  bool AnyForMemory() const;

 private:
  struct Retiring {
    Reason reason = Reason::kReplaced;
    bool told_to_end = false;
  };

  Dispatcher& dispatcher_;
  std::map<uint64_t, Retiring> workers_;
};

}  // namespace consort
