// What a container's header says about its length, where libsndfile quietly says less because
// the file ends early, or takes for sound what is none.
#pragma once

#include <cstdint>
#include <optional>

namespace consort {

// Frames that the header of a WAV (RIFF, RIFX, RF64), W64, AIFF, AU, SPHERE (NIST) or VOC file
// (its first block) promises, if it promises a definite number and more bytes than the file has;
// otherwise nothing. The placeholders that programs leave when they write to a pipe (0, 0xFFFFFFFF,
// 0x7FFFFFFF and their neighbours) promise nothing. Never fails: what it cannot follow promises
// nothing.
std::optional<int64_t> PromisedFrames(int fd, int64_t file_bytes);

// Of a VOC file that libsndfile opens: blocks follow its first one with sound. libsndfile takes all
// of them, with their heads, for samples of that one.
bool VocGoesOn(int fd, int64_t file_bytes);

}  // namespace consort
