#include "supervisor/memory/oom_kills.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace consort {
namespace {

// The line "oom_kill 3"; memory.events and vmstat have other keys that begin so.
uint64_t ReadOomKills(const std::string& file) {
  std::ifstream text(file);
  std::string key;
  uint64_t count = 0;
  while (text >> key >> count) {
    if (key == "oom_kill") return count;
  }
  return 0;
}

// More at once are counted as so many.
constexpr uint64_t kMostAtOnce = 4096;

}  // namespace

OomKills::OomKills(std::string file) : file_(std::move(file)), seen_(ReadOomKills(file_)) {}

void OomKills::Look(int64_t now_ns) {
  const uint64_t now = ReadOomKills(file_);
  const uint64_t more = now > seen_ ? std::min(now - seen_, kMostAtOnce) : 0;
  seen_ = now;
  unexplained_ns_.insert(unexplained_ns_.end(), more, now_ns);
  while (!unexplained_ns_.empty() && now_ns - unexplained_ns_.front() > kExplainsForNs) {
    unexplained_ns_.pop_front();
  }
}

bool OomKills::Explain(int64_t now_ns) {
  Look(now_ns);
  if (unexplained_ns_.empty()) return false;
  unexplained_ns_.pop_front();
  return true;
}

}  // namespace consort
