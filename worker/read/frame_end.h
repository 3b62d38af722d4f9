// Where a frame of sound ends, as its own header says: of codecs whose files may be frames alone,
// one behind the other, so that nothing else tells that the last one is not whole.
#pragma once

#include <cstdint>
#include <span>

#include "worker/read/ffmpeg_library.h"

namespace consort {

// `packet` begins with a frame's header, and ends within that frame or one that follows. Known are
// AAC (ADTS), AC-3, E-AC-3 and MP2; of other codecs, and of what is no header: false.
bool EndsWithinFrame(AVCodecID codec, std::span<const uint8_t> packet);

}  // namespace consort
