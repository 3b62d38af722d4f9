// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace consort {

std::string WithThousands(uint64_t number);  // 1,234,567
std::string HoursMinutes(double seconds);    // 0:04:09
std::string ShortNumber(double number);      // three significant digits: 0.12, 4.56, 78.9, 1,234
std::string Bytes(int64_t bytes);            // 345 MiB, 1.23 GiB
std::string Counted(int64_t count, const std::string& singular);       // 1 core, 2 cores
std::string CountedLong(uint64_t count, const std::string& singular);  // 1,234 files

}  // namespace consort
