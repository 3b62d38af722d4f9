// Why a decoder does not take a file, as far as the file's first bytes tell.
#pragma once

#include "worker/read/read_fault.h"

namespace consort {

struct FirstLook {
  // kNotAudio, with what it looks like; kDecode for a format we read whose header is cut or
  // damaged.
  ReadFault fault;
  // It may be of a kind that FFmpeg reads and libsndfile does not.
  bool others_may_know = false;
};

// At a file that libsndfile does not know.
FirstLook LookAt(int fd);

}  // namespace consort
