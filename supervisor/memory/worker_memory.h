// When a worker has too much private memory, and what is done about it. Figures in, verdicts out:
// no process is touched here. docs/placement.md has the rules in words.
//
// Exact figures are dear, so there are two steps: anonymous memory, which is never less than
// private memory, is known of every worker in every sample; beyond ExactAbove the sampler reads the
// exact figure, too.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "supervisor/memory/memory_sampler.h"

namespace consort {

class WorkerMemory {
 public:
  // Without a limit: a worker's own level is what it has after so many segments, or after so long.
  static constexpr uint64_t kLevelSegments = 100;
  static constexpr int64_t kLevelNs = 60'000'000'000;
  // It creeps when it has more than double its level and so much more than it.
  static constexpr int64_t kCreepBytes = int64_t{256} << 20;

  enum class Verdict {
    kFine,
    kTell,     // above the limit before it has done anything: no other one is better; said once
    kReplace,  // once it has finished its tasks, however long they take; said once
    kEnd,      // now, far above the limit: what it is at is to blame
  };

  // `limit_bytes`: 0 for none; `limit_name` as typed, e.g. "--worker-memory-limit 800M".
  WorkerMemory(int64_t limit_bytes, std::string limit_name);

  void Ready(uint64_t worker, int64_t now_ns);
  void Gone(uint64_t worker);
  // `segments`: that it has done. `words`, unless it is fine: "used 1.30 GiB of private memory, …".
  Verdict Judge(const MemorySample::OfWorker& sample, uint64_t segments, int64_t now_ns,
                std::string& words);
  int64_t ExactAbove(uint64_t worker) const;
  // What a worker has to itself in ordinary work: the most until its level is known, of that worker
  // of which this is least. 0: not known yet.
  int64_t UsualBytes() const { return usual_bytes_ == INT64_MAX ? 0 : usual_bytes_; }

 private:
  struct Known {
    int64_t ready_ns = 0;
    int64_t level_bytes = -1;  // anonymous; -1: not known yet
    int64_t exact_above = INT64_MAX;
    bool replaced = false;   // it was said
    int64_t peak_bytes = 0;  // its own, until usual_bytes_ has heard of it
    bool heard = false;
  };
  void Learn(Known& known, const MemorySample::OfWorker& sample, uint64_t segments, int64_t now_ns);
  Verdict JudgeLimit(Known& known, const MemorySample::OfWorker& sample, uint64_t segments,
                     std::string& words);
  static Verdict JudgeCreep(Known& known, const MemorySample::OfWorker& sample, uint64_t segments,
                            int64_t now_ns, std::string& words);

  const int64_t limit_bytes_;
  const std::string limit_name_;
  std::map<uint64_t, Known> workers_;
  int64_t usual_bytes_ = INT64_MAX;
  bool told_ = false;  // that a worker begins above the limit
};

}  // namespace consort
