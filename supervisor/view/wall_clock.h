// The time of day, for people and logs.
#pragma once

#include <string>

namespace consort {

// "2026-11-26T11:48:05Z"; with milliseconds "2026-11-26T11:48:05.123Z".
std::string UtcNow(bool milliseconds = false);

}  // namespace consort
