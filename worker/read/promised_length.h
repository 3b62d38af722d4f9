// What a container's header says about its length, where libsndfile quietly says less because
// the file ends early.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace consort {

// Frames that the header of a WAV (RIFF, RIFX, RF64), W64, AIFF or AU file promises, if it promises
// a definite number and more bytes than the file has; otherwise nothing. The placeholders that
// programs leave when they write to a pipe (0, 0xFFFFFFFF, 0x7FFFFFFF and their neighbours) promise
// nothing. Never fails: what it cannot follow promises nothing.
std::optional<int64_t> PromisedFrames(int fd, int64_t file_bytes);

// A header whose writer never came to say how much sound there is, or said it before the end came.
struct UnfinishedHeader {
  // Where it must be read as other bytes, since libsndfile believes it. Empty: it does not.
  int64_t at = -1;
  std::string bytes = {};
};

// Of a WAV, RF64 or W64 file whose header has a placeholder for the size of its sound (see above),
// or one that ends where no chunk follows and yet there is sound for a tenth of a second or more.
// Nothing: the header is right, or promises more than there is.
std::optional<UnfinishedHeader> FindUnfinishedHeader(int fd, int64_t file_bytes);

}  // namespace consort
