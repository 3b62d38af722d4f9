// What processes cost the machine while somebody looks: CPU time, context switches, page faults.
//
// A process's counters are read now and then, since nobody can read those of one that is gone: it
// counts with what was last seen of it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace consort {

struct Usage {
  double user_s = 0;
  double system_s = 0;
  int64_t voluntary = 0;  // context switches of all its threads that live
  int64_t involuntary = 0;
  int64_t minor = 0;  // page faults
  int64_t major = 0;

  Usage& operator+=(const Usage& other);
  Usage operator-(const Usage& other) const;
};

// Since its start; nullopt: there is no such process. `proc`: another folder for tests.
std::optional<Usage> ReadUsage(const std::string& proc, pid_t pid);

class UsageMeter {
 public:
  explicit UsageMeter(std::string proc = "/proc") : proc_(std::move(proc)) {}

  // Counts from now on: what these processes have used so far counts for nothing. All of it counts
  // of processes that come later.
  void Begin(const std::vector<pid_t>& pids);
  // These are there now, each once.
  void Look(const std::vector<pid_t>& pids);
  // Since Begin, as of the last look.
  Usage total() const;

 private:
  struct Seen {
    Usage before;
    Usage last;
  };

  std::string proc_;
  std::map<pid_t, Seen> seen_;
  Usage gone_;
};

}  // namespace consort
