// A frame of FFmpeg's to one channel, or to all of them: each sample to float as libswresample does
// it, their mean summed in double, or the first of them.
#pragma once

#include <cstdint>
#include <span>

#include "shared/bundle/manifest.h"
#include "worker/read/ffmpeg_library.h"

namespace consort {

// Whether MixFrame knows its sample format.
bool CanMix(const AVFrame& frame);
// Samples [from, from + out.size()) of the frame; with kEach of all channels, interleaved, and so
// [from, from + out.size() / channels).
void MixFrame(const AVFrame& frame, int64_t from, std::span<float> out, AudioSpec::Channels heard);

}  // namespace consort
