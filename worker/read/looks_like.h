// Why no decoder takes a file, as far as its first bytes tell.
#pragma once

#include "worker/read/read_fault.h"

namespace consort {

// kNotAudio, with what it looks like; kDecode for a format we read whose header is cut or damaged.
ReadFault WhyNotAudio(int fd);

}  // namespace consort
