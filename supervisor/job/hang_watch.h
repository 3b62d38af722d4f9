// Ends what hangs: looks at every engine now and then, and kills the worker of one that has stood
// still for too long (supervisor/dispatch/deadlines.h says when).
//
// The engine is asked for its stack first, and pardoned if it gets on meanwhile. Blamed for the
// kill are the segments of the engines that stand still: the one that is past its deadline, and
// any that has stood for half as long, since in a worker that is stopped, or whose engines wait for
// each other, nobody can tell which of them is at fault. An engine that had nothing in hand, or got
// on in the last moment, is not.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "supervisor/dispatch/deadlines.h"
#include "supervisor/dispatch/dispatcher.h"
#include "supervisor/fleet/fleet.h"

namespace consort {

class HangWatch {
 public:
  using Say = std::function<void(const std::string&)>;

  HangWatch(Deadlines deadlines, const Dispatcher& dispatcher, Say say);

  void Ready(const Worker& worker);
  // Records came from that engine.
  void Heard(const Worker& worker, uint32_t engine);
  // Every 100 ms or so.
  void Tick(Fleet& fleet, int64_t now_ns);
  // Reaped and drained. What its engines were at, and whether they are to blame.
  std::vector<LastSeen> Gone(const Worker& worker);

 private:
  // What awaits a worker.
  struct Sentence {
    uint32_t engine = 0;
    int64_t asked_ns = 0;
    uint32_t dumps_before = 0;
    bool killed = false;
    // By engine, once killed: how those looked that are to blame.
    std::vector<std::optional<EngineSight>> blamed;
  };

  static EngineSight StateOf(const Worker& worker, uint32_t engine);
  bool IsToBlame(const Worker& worker, uint32_t engine) const;
  void Watch(Fleet& fleet, Worker& worker, int64_t now_ns);
  void Kill(Fleet& fleet, Worker& worker, Sentence& sentence, int64_t hung_ns);

  Deadlines deadlines_;
  const Dispatcher& dispatcher_;
  Say say_;
  std::unordered_map<uint64_t, Sentence> sentences_;  // of few workers
};

}  // namespace consort
