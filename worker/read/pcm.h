// Frames of plain PCM as they lie in a file, to one channel, or to all of them: the same bits as
// libsndfile's floats, their mean summed in double, or the first of them, in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shared/bundle/manifest.h"

namespace consort {

// How a sample lies in the file, in this machine's byte order.
enum class PcmKind { kOther, kInt16, kInt24, kInt32, kFloat };

// Bytes of a sample; 0 for kOther.
size_t PcmSampleBytes(PcmKind kind);

// Writes out.size() samples, of each frame their mean or their first one; with kEach all of them,
// of out.size() / channels frames. `raw` holds as many frames of `channels` samples, and kPcmSlack
// bytes after them that are read, whatever they are. Not for kOther.
inline constexpr size_t kPcmSlack = 4;
void MixPcm(PcmKind kind, const std::byte* raw, int64_t channels, std::span<float> out,
            AudioSpec::Channels heard = AudioSpec::Channels::kMix);

// Whether every sample is a finite number.
bool AllFinite(std::span<const float> samples);

}  // namespace consort
