// Whether a SIGKILL was the kernel's, for memory: its counter of such deaths rose around the time.
//
// The counter says how many processes were ended, not which. It rises before the signal is sent,
// and a large process takes seconds to end; so a rise explains one death within some seconds after
// it was seen. Where the kernel counts for the whole machine only, somebody else's death may
// explain one of ours: a segment is then suspected that is not at fault, and lives when alone.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace consort {

class OomKills {
 public:
  static constexpr int64_t kExplainsForNs = 10'000'000'000;

  // `file`: as OomKillFile tells; empty: nothing is ever explained.
  explicit OomKills(std::string file);

  // Now and then, so that an old rise is not taken for a new one.
  void Look(int64_t now_ns);
  // Whether the kernel has ended a process that nobody was told of yet.
  bool Explain(int64_t now_ns);

 private:
  const std::string file_;
  uint64_t seen_ = 0;
  std::deque<int64_t> unexplained_ns_;  // when each was seen
};

}  // namespace consort
