#include "worker/template/last_resort.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string_view>

namespace consort {
namespace {

constexpr char kScoreFile[] = "/proc/self/oom_score_adj";
constexpr int kMostScore = 1000;

}  // namespace

void RaiseOomScore(int by) {
  int score = 0;
  if (!(std::ifstream(kScoreFile) >> score)) return;
  std::ofstream(kScoreFile) << std::min(score + by, kMostScore);
}

void LeaveNoCore() {
  const char* wanted = std::getenv("CONSORT_CORE");
  if (wanted != nullptr && std::string_view(wanted) == "1") return;
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  // One byte is no room for a core file, and unlike 0 it keeps the kernel from handing the crash to
  // a program, too (core_pattern with a pipe, whose readers take seconds).
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1);
  setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace consort
