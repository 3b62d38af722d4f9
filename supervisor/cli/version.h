// The program's version, as in the top CMakeLists.txt.
#pragma once

namespace consort {

inline constexpr const char kVersion[] = "0.1.0";

}  // namespace consort
