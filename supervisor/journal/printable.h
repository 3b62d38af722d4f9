// Text of strangers on a terminal.
#pragma once

#include <string>

namespace consort {

// Control characters would move the cursor, or worse: file names may have any.
inline std::string Printable(std::string line) {
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return line;
}

}  // namespace consort
