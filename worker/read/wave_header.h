// Where the headers of RIFF, RIFX, RF64 and W64 files say that their sound lies, and how much of it
// there is: as they say it, right or not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace consort {

// Bytes of the file at an offset, as numbers of either byte order. Reading beyond the end gives
// zeros and makes it bad.
class HeaderBytes {
 public:
  explicit HeaderBytes(int fd) : fd_(fd) {}
  bool big_endian = false;
  bool good = true;

  // Valid until the next call.
  std::string_view Tag(int64_t at, size_t width = 4) { return {Fetch(at, width), width}; }
  uint64_t Number(int64_t at, size_t width);

 private:
  const char* Fetch(int64_t at, size_t width);
  int fd_;
  std::array<char, 512> bytes_{};  // of the file, from bytes_at_ on
  int64_t bytes_at_ = 0;
  int64_t bytes_size_ = 0;
};

inline constexpr int kMaxChunks = 1000;  // in a row; a guard against a crafted file

// A size that a program writes when it does not know yet: 0 and the ends of the signed and the
// unsigned range, less what the headers take, rounded to a buffer (sox: 0x7FFFF000).
bool IsPlaceholder(uint64_t size);

// What a header says of its sound.
struct SoundChunk {
  uint64_t bytes = 0;
  int64_t bytes_at = 0;    // where the header has that number
  size_t bytes_width = 0;  // of the number
  int64_t sound_at = 0;    // where the sound begins
  int64_t format_at = 0;   // where the chunk "fmt " has its content
  uint64_t format_bytes = 0;
  int64_t block_bytes = 0;  // 0: it is not known
  int64_t frames_per_block = 1;
  int64_t bytes_a_second =
      0;               // from the rate: no decoder needs, and checks, the number in the header
  bool plain = false;  // samples lie in it as they are
};

// RIFF, RIFX, RF64, W64; the header's byte order is set. Nothing: it is none of these, or has no
// sound.
std::optional<SoundChunk> FindWaveSound(HeaderBytes& header, bool& is_w64);

// A chunk of Wave64 begins with 16 bytes of name, whose first four are those of a WAV, and its size
// with that, these bytes, in it; each begins at a multiple of 8.
inline constexpr int64_t kW64HeadBytes = 24;

}  // namespace consort
