#include "supervisor/view/wall_clock.h"

#include <time.h>

#include <cstdio>

namespace consort {

std::string UtcNow(bool milliseconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  char text[40];
  size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  if (milliseconds) {
    size += static_cast<size_t>(
        std::snprintf(text + size, sizeof(text) - size, ".%03ld", now.tv_nsec / 1'000'000));
  }
  return std::string(text, size) + "Z";
}

}  // namespace consort
