// Memory: how much, how near, in what pages.
#include <algorithm>

#include "supervisor/doctor/checks.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

using Level = Finding::Level;

constexpr char kMeminfo[] = "/proc/meminfo";
constexpr char kShmemEnabled[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

// The chosen word of `always [never] madvise`.
std::string Chosen(const std::string& line) {
  const size_t open = line.find('[');
  const size_t close = line.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return "";
  return line.substr(open + 1, close - open - 1);
}

}  // namespace

std::optional<Finding> CheckMemoryLimit(const Survey& survey) {
  const auto& limit = survey.machine.memory_limit;
  if (!limit) return Finding{Level::kFine, "no memory limit"};
  const std::string found = "a limit of " + Bytes(limit->bytes) + " (" + limit->file + ")";
  const std::string need = "about " + Bytes(survey.placement.need_bytes) + " would be used";
  if (survey.placement.warnings.empty()) return Finding{Level::kFine, found + ", " + need};
  const bool version_two = !limit->file.ends_with("limit_in_bytes");
  return Finding{Level::kCosts, found, survey.placement.warnings.front(),
                 std::string("echo ") + (version_two ? "max" : "-1") + " | sudo tee " +
                     limit->file + "  (docker update --memory SIZE CONTAINER)"};
}

std::optional<Finding> CheckFreeMemory(const Survey& survey) {
  const int64_t available = survey.Kib(kMeminfo, "MemAvailable");
  if (available < 0) return std::nullopt;
  const std::string found = Bytes(available) + " available, about " +
                            Bytes(survey.placement.need_bytes) + " would be used";
  if (available >= survey.placement.need_bytes) return Finding{Level::kFine, found};
  return Finding{Level::kCosts, found, "what does not fit is swapped, or the kernel ends a process",
                 "ps -eo pid,rss,comm --sort=-rss | head  shows who has it; or fewer workers: -p"};
}

std::optional<Finding> CheckSwap(const Survey& survey) {
  const int64_t total = survey.Kib(kMeminfo, "SwapTotal");
  const int64_t free = survey.Kib(kMeminfo, "SwapFree");
  if (total <= 0 || free < 0) return Finding{Level::kFine, "no swap"};
  const std::string found = Bytes(total - free) + " of " + Bytes(total) + " of swap in use";
  const int64_t available = survey.Kib(kMeminfo, "MemAvailable");
  const bool short_of_memory = available >= 0 && available < survey.placement.need_bytes;
  if (total - free == 0 || !short_of_memory) return Finding{Level::kFine, found};
  return Finding{Level::kCosts, found, "memory is short already; a swapped weight is a stall",
                 "free memory, then: sudo swapoff -a && sudo swapon -a"};
}

std::optional<Finding> CheckHugePages(const Survey& survey) {
  const std::string mode = Chosen(survey.Line(kShmemEnabled));
  const std::string change = std::string("echo advise | sudo tee ") + kShmemEnabled;
  const std::string why = "reading the weights through pages of 4 KiB takes nearly twice the time";
  if (mode.empty()) {
    return Finding{Level::kNote, "this kernel has no huge pages for shared memory", why};
  }
  const std::string found = "huge pages for shared memory: " + mode;
  if (mode == "deny") return Finding{Level::kCosts, found, why, change};
  if (survey.gives_huge_pages) {
    return Finding{Level::kFine, found + "; the weights take them by themselves"};
  }
  if (mode == "never") return Finding{Level::kCosts, found, why, change};
  return Finding{Level::kFine, found};
}

std::optional<Finding> CheckMemlock(const Survey& survey) {
  const std::string limit =
      survey.memlock_bytes < 0 ? "no limit" : "a limit of " + Bytes(survey.memlock_bytes);
  return Finding{Level::kFine, limit + " on locked memory; consort locks none"};
}

std::optional<Finding> CheckNodes(const Survey& survey) {
  if (survey.machine.memory_nodes < 2) return std::nullopt;
  std::string found = Counted(survey.machine.memory_nodes, "node") + " with memory";
  for (const Node& node : survey.used.nodes) {
    if (node.memory_node == node.os_index) continue;
    found += "; node " + std::to_string(node.os_index) + " has none and uses that of node " +
             std::to_string(node.memory_node);
  }
  if (survey.Line("/proc/sys/kernel/numa_balancing") == "1") {
    return Finding{
        Level::kNote, found + "; the kernel balances pages between nodes",
        "engines and weights have their place already: its looking around is for nothing",
        "echo 0 | sudo tee /proc/sys/kernel/numa_balancing"};
  }
  return Finding{Level::kFine, found};
}

}  // namespace consort
