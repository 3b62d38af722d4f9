#include "supervisor/figures/usage_meter.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

#include "shared/base/read_file.h"

namespace consort {
namespace {

int64_t NumberBehind(const std::string& text, const char* key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? 0
                                 : std::strtoll(text.c_str() + at + std::strlen(key), nullptr, 10);
}

// The process's own status tells of its first thread alone.
void AddSwitches(const std::string& process, Usage& usage) {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir((process + "/task").c_str()), closedir);
  if (!tasks) return;
  while (const dirent* entry = readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string status = ReadFileOrNothing(process + "/task/" + entry->d_name + "/status");
    usage.voluntary += NumberBehind(status, "\nvoluntary_ctxt_switches:");
    usage.involuntary += NumberBehind(status, "\nnonvoluntary_ctxt_switches:");
  }
}

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  user_s += other.user_s;
  system_s += other.system_s;
  voluntary += other.voluntary;
  involuntary += other.involuntary;
  minor += other.minor;
  major += other.major;
  return *this;
}

Usage Usage::operator-(const Usage& other) const {
  return {.user_s = user_s - other.user_s,
          .system_s = system_s - other.system_s,
          .voluntary = voluntary - other.voluntary,
          .involuntary = involuntary - other.involuntary,
          .minor = minor - other.minor,
          .major = major - other.major};
}

std::optional<Usage> ReadUsage(const std::string& proc, pid_t pid) {
  const std::string process = proc + '/' + std::to_string(pid);
  const std::string stat = ReadFileOrNothing(process + "/stat");
  // The name, in parentheses, may have any byte in it.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  long long minor = 0;
  long long major = 0;
  long long user = 0;
  long long system = 0;
  if (std::sscanf(stat.c_str() + name_end + 1,
                  " %*c %*d %*d %*d %*d %*d %*u %lld %*d %lld %*d %lld %lld", &minor, &major, &user,
                  &system) != 4) {
    return std::nullopt;
  }
  static const auto ticks_a_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  Usage usage;
  usage.user_s = static_cast<double>(user) / ticks_a_second;
  usage.system_s = static_cast<double>(system) / ticks_a_second;
  usage.minor = minor;
  usage.major = major;
  AddSwitches(process, usage);
  return usage;
}

void UsageMeter::Begin(const std::vector<pid_t>& pids) {
  seen_.clear();
  gone_ = {};
  for (const pid_t pid : pids) {
    if (const auto usage = ReadUsage(proc_, pid)) seen_[pid] = {*usage, *usage};
  }
}

void UsageMeter::Look(const std::vector<pid_t>& pids) {
  const std::set<pid_t> there(pids.begin(), pids.end());
  for (auto it = seen_.begin(); it != seen_.end();) {
    if (there.contains(it->first)) {
      ++it;
      continue;
    }
    gone_ += it->second.last - it->second.before;
    it = seen_.erase(it);
  }
  for (const pid_t pid : there) {
    if (const auto usage = ReadUsage(proc_, pid)) seen_[pid].last = *usage;
  }
}

Usage UsageMeter::total() const {
  Usage total = gone_;
  for (const auto& [pid, seen] : seen_) total += seen.last - seen.before;
  return total;
}

}  // namespace consort
