// What libsndfile must be shown in place of a file's own bytes, so that it hears all the sound that
// is there, and nothing else: it takes what a header says of its sound's size for the truth, also
// where the writer never came to say the last word.
#pragma once

#include <cstdint>
#include <string>

#include "worker/stage/stage_clock.h"

namespace consort {

struct HeaderMend {
  // The header's writer never came to say how much sound there is, or said it before the end came.
  bool unfinished = false;
  // There is sound that libsndfile cannot be told of.
  bool out_of_reach = false;
  // Bytes [at, until) of the file are read as `bytes`, which may be more or fewer. None: no change.
  int64_t at = 0;
  int64_t until = 0;
  std::string bytes = {};
  bool made_up_head = false;  // they are an RF64 header in place of the file's own
  // The file is read as if it ended here; -1: it is not.
  int64_t end = -1;

  // How much longer the file reads for `bytes`.
  int64_t growth() const { return static_cast<int64_t>(bytes.size()) - (until - at); }
};

// Of a WAV, RF64 or W64 file: it is unfinished if the size of its sound is a placeholder (see
// PromisedFrames), or ends where no chunk follows and yet there is sound for a tenth of a second or
// more. Nothing to mend: the header is right, or promises more than there is. Reads some megabytes
// at most; `clock`, if any, is told of each step.
HeaderMend FindHeaderMend(int fd, int64_t file_bytes, StageClock* clock);

}  // namespace consort
