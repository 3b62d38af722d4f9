// A worker whose first engine writes anything at all into its ring, beside honest engines. The
// input is its script: what it scribbles, what it publishes, and when the supervisor looks. Aborts
// with a sentence if the supervisor believes what it must not: a segment that was not that engine's
// to do, a segment twice, an honest engine called a liar, a file that ends without its segments, a
// job that does not end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace consort::test {

struct Heard {
  size_t records = 0;  // taken from the hostile engine
  size_t lies = 0;     // looks that found one
  size_t results = 0;  // segments of its that counted
};

// What results are: tags, or runs of frames, of files whose channels are heard one by one. An
// honest engine gives the right ones.
enum class Told { kTags, kRuns };
Heard LetItScribble(const uint8_t* script, size_t size, Told told);

// Scripts to begin with: an honest engine's whole life, and lives that end in a lie of each kind.
std::vector<std::vector<uint8_t>> HonestScripts();

}  // namespace consort::test
