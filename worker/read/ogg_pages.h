// Walks the pages of an Ogg file. libsndfile skips what is damaged, joins what is left, and says
// nothing: a hole moves every later sample. Pages carry what is needed to see it: a checksum, a
// sequence number, the place in the sound, and a mark on the last.
#pragma once

#include <cstdint>

#include "worker/stage/stage_clock.h"

namespace consort {

struct OggWalk {
  enum class Outcome {
    kWhole,    // good pages up to the mark that ends the stream, or the reading failed (reported
               // where the sound is read)
    kCut,      // good pages, then nothing more or part of one
    kDamaged,  // good pages, then something else, then a good page again
  } outcome = Outcome::kWhole;
  int64_t position = 0;  // granule position after the last page of the good beginning
  bool chained = false;  // another stream begins right behind the end of this one
};

// The first stream of the file; pages of others between its own are passed over. Reads the whole
// file once, 0.2 s a gigabyte and more; `clock`, if any, is told of each read(2).
OggWalk WalkOggPages(int fd, int64_t file_bytes, StageClock* clock = nullptr);

// Samples at the beginning of an Opus stream that are not heard; granule positions count them.
int64_t OpusPreSkip(int fd);

}  // namespace consort
