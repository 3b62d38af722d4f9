#include "supervisor/view/number.h"

#include <cmath>
#include <cstdio>

namespace consort {

std::string WithThousands(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string HoursMinutes(double seconds) {
  const auto total = static_cast<uint64_t>(std::llround(seconds > 0 ? seconds : 0));
  char text[40];
  std::snprintf(text, sizeof(text), "%llu:%02u:%02u", static_cast<unsigned long long>(total / 3600),
                static_cast<unsigned>(total / 60 % 60), static_cast<unsigned>(total % 60));
  return text;
}

std::string ShortNumber(double number) {
  if (!std::isfinite(number)) return "?";
  if (std::fabs(number) >= 99.95) {
    return WithThousands(static_cast<uint64_t>(std::llround(std::fabs(number))));
  }
  const int decimals = std::fabs(number) < 9.995 ? 2 : 1;
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f", decimals, number);
  return text;
}

std::string Bytes(int64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1024.0 * 1024.0);
  return mib < 1023.5 ? ShortNumber(mib) + " MiB" : ShortNumber(mib / 1024.0) + " GiB";
}

std::string Counted(int64_t count, const std::string& singular) {
  return std::to_string(count) + ' ' + singular + (count == 1 ? "" : "s");
}

std::string CountedLong(uint64_t count, const std::string& singular) {
  return WithThousands(count) + ' ' + singular + (count == 1 ? "" : "s");
}

}  // namespace consort
