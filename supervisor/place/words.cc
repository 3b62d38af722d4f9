#include "supervisor/place/words.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

namespace consort {

std::string DecimalWords(double number) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f", number);
  std::string words = text;
  while (words.back() == '0') words.pop_back();
  if (words.back() == '.') words.pop_back();
  return words;
}

std::string CpuListWords(std::vector<int> cpus) {
  std::ranges::sort(cpus);
  std::string words;
  for (size_t i = 0; i < cpus.size();) {
    size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] <= cpus[last] + 1) ++last;
    if (!words.empty()) words += ',';
    words += std::to_string(cpus[i]);
    if (cpus[last] != cpus[i]) words += '-' + std::to_string(cpus[last]);
    i = last + 1;
  }
  return words;
}

std::vector<int> ParseCpuList(const std::string& list) {
  constexpr int kMostCpus = 1 << 16;
  std::vector<int> cpus;
  std::istringstream pieces(list);
  for (std::string piece; std::getline(pieces, piece, ',');) {
    std::istringstream words(piece);
    int first = -1;
    if (!(words >> first)) continue;
    int last = first;
    char dash = 0;
    if (words >> dash) words >> last;
    for (int cpu = first; cpu >= 0 && cpu <= std::min(last, kMostCpus); ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace consort
