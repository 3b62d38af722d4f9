// What to say of a file with more channels than can be heard one by one (kMaxStreams): whoever
// checks a list and whoever runs it say the same.
#pragma once

#include <cstdint>
#include <string>

#include "shared/record/result.h"

namespace consort {

inline std::string TooManyStreams(int64_t channels) {
  return std::to_string(channels) + " channels, more than the " + std::to_string(kMaxStreams) +
         " that can be heard one by one";
}

}  // namespace consort
