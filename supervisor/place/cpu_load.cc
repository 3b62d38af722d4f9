#include "supervisor/place/cpu_load.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace consort {

AllCpuTimes ReadCpuTimes(const std::string& root) {
  AllCpuTimes all;
  std::ifstream stat(root + "/proc/stat");
  for (std::string line; std::getline(stat, line) && line.starts_with("cpu");) {
    if (line.size() < 4 || std::isdigit(static_cast<unsigned char>(line[3])) == 0) continue;
    std::istringstream words(line.substr(3));
    int cpu = 0;
    int64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, stolen = 0;
    words >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> stolen;
    if (!words) continue;
    CpuTimes& times = all[cpu];
    times.busy = user + nice + system + irq + softirq + stolen;
    times.total = times.busy + idle + waiting;
    times.stolen = stolen;
  }
  return all;
}

std::map<int, double> BusyShares(const AllCpuTimes& before, const AllCpuTimes& after) {
  std::map<int, double> shares;
  for (const auto& [cpu, now] : after) {
    const auto then = before.find(cpu);
    if (then == before.end()) continue;
    const auto passed = static_cast<double>(now.total - then->second.total);
    const auto busy = static_cast<double>(now.busy - then->second.busy);
    shares[cpu] = passed > 0 ? std::clamp(busy / passed, 0.0, 1.0) : 0.0;
  }
  return shares;
}

}  // namespace consort
