// Numbers in words, as messages and the doctor's report have them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace consort {

// {0,1,2,5} in any order → "0-2,5", as taskset and the kernel have it.
std::string CpuListWords(std::vector<int> cpus);
// The other way; nothing that is not a CPU's number.
std::vector<int> ParseCpuList(const std::string& list);
// 2.5, 2.
std::string DecimalWords(double number);

}  // namespace consort
