// Which containers and codecs of FFmpeg's are taken, and what is known of each codec.
#pragma once

#include <string>

#include "worker/read/decoder.h"
#include "worker/read/ffmpeg_library.h"

namespace consort {

struct FfmpegCodec {
  AVCodecID id;
  // A packet says how many samples it holds: a file's length is found without decoding.
  bool counted;
  // kExact: decoding from a second before a place on gives bit for bit what decoding from the
  // beginning does. tests/end_to_end/test_ffmpeg.py holds each codec to what is said here.
  Seeking seeking;
};

// Null: not taken.
const FfmpegCodec* FindFfmpegCodec(AVCodecID id);

// For FFmpeg's options of these names: no demuxer and no decoder but these is ever run. None opens
// other files than the one it is given, and none takes headerless samples for sound.
const std::string& FfmpegFormats();
const std::string& FfmpegDecoders(const FfmpegLibrary& library);

}  // namespace consort
