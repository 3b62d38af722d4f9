// Times in nanoseconds against samples, without overflow: a file of 2^63 samples at k * hop_ns *
// rate overflows 64 bits long before it overflows 128.
#pragma once

#include <cstdint>

namespace consort {

inline constexpr int64_t kNsPerSecond = 1'000'000'000;
__extension__ using Wide = __int128;

}  // namespace consort
