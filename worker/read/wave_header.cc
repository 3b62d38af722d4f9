#include "worker/read/wave_header.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace consort {

uint64_t HeaderBytes::Number(int64_t at, size_t width) {
  const char* bytes = Fetch(at, width);
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    const size_t from = big_endian ? i : width - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes[from]);
  }
  return value;
}

const char* HeaderBytes::Fetch(int64_t at, size_t width) {
  const auto end = at + static_cast<int64_t>(width);
  if (at < bytes_at_ || end > bytes_at_ + bytes_size_) {
    bytes_at_ = at;
    bytes_size_ = std::max<ssize_t>(0, ::pread(fd_, bytes_.data(), bytes_.size(), at));
    if (bytes_size_ < static_cast<int64_t>(width)) {
      bytes_size_ = 0;
      bytes_.fill(0);
      good = false;
      return bytes_.data();
    }
  }
  return bytes_.data() + (at - bytes_at_);
}

bool IsPlaceholder(uint64_t size) {
  return size == 0 || (size >= 0x7FFF'0000 && size <= 0x8000'0000) ||
         (size >= 0xFFFF'0000 && size <= 0xFFFF'FFFF) || size >= uint64_t{1} << 62;
}

namespace {

void ReadWavFormat(HeaderBytes& header, int64_t at, uint64_t size, SoundChunk& chunk) {
  const uint64_t format = header.Number(at, 2);
  chunk.block_bytes = static_cast<int64_t>(header.Number(at + 12, 2));
  const auto rate = static_cast<int64_t>(header.Number(at + 4, 4));
  chunk.bytes_a_second = rate * chunk.block_bytes;
  chunk.format_at = at;
  chunk.format_bytes = size;
  // ADPCM and GSM: a block of bytes is many frames. 1, 3, 6, 7: PCM, float, A-law, µ-law.
  chunk.plain = format == 1 || format == 3 || format == 6 || format == 7 || format == 0xFFFE;
  if (chunk.plain) return;
  chunk.frames_per_block = size >= 20 ? static_cast<int64_t>(header.Number(at + 18, 2)) : 0;
  if (chunk.frames_per_block == 0) chunk.block_bytes = 0;
  chunk.bytes_a_second /= std::max<int64_t>(1, chunk.frames_per_block);
}

std::optional<SoundChunk> FindWavSound(HeaderBytes& header) {
  SoundChunk chunk;
  int64_t wide_at = 0;  // of RF64's own number
  int64_t at = 12;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const std::string tag(header.Tag(at));
    const uint64_t size = header.Number(at + 4, 4);
    if (!header.good) break;
    if (tag == "ds64") {
      wide_at = at + 16;
    } else if (tag == "fmt ") {
      ReadWavFormat(header, at + 8, size, chunk);
    } else if (tag == "data") {
      const bool wide = size == 0xFFFF'FFFF && wide_at != 0;
      chunk.bytes_at = wide ? wide_at : at + 4;
      chunk.bytes_width = wide ? 8 : 4;
      chunk.bytes = wide ? header.Number(wide_at, 8) : size;
      chunk.sound_at = at + 8;
      return chunk;
    }
    at += 8 + static_cast<int64_t>(size + (size & 1));
  }
  return std::nullopt;
}

// Sony's Wave64.
std::optional<SoundChunk> FindW64Sound(HeaderBytes& header) {
  SoundChunk chunk;
  int64_t at = 40;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const std::string tag(header.Tag(at));
    const uint64_t size = header.Number(at + 16, 8);
    if (!header.good) break;
    if (tag == "fmt ") {
      ReadWavFormat(header, at + kW64HeadBytes, size - kW64HeadBytes, chunk);
    } else if (tag == "data") {
      chunk.bytes = size < kW64HeadBytes || size >> 62 != 0 ? 0 : size - kW64HeadBytes;
      chunk.bytes_at = at + 16;
      chunk.bytes_width = 8;
      chunk.sound_at = at + kW64HeadBytes;
      return chunk;
    }
    if (size < kW64HeadBytes || size >> 62 != 0) break;
    at += static_cast<int64_t>((size + 7) / 8 * 8);
  }
  return std::nullopt;
}

constexpr char kW64Riff[] = "riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1";

bool IsW64(HeaderBytes& header) {
  const std::string_view riff(kW64Riff, sizeof(kW64Riff) - 1);
  return header.Tag(0, riff.size()) == riff;
}

}  // namespace

std::optional<SoundChunk> FindWaveSound(HeaderBytes& header, bool& is_w64) {
  const std::string form(header.Tag(0));
  const std::string kind(header.Tag(8));
  is_w64 = IsW64(header);
  if (!header.good) return std::nullopt;
  if (is_w64) return FindW64Sound(header);
  if (kind != "WAVE" || (form != "RIFF" && form != "RIFX" && form != "RF64")) return std::nullopt;
  header.big_endian = form == "RIFX";
  return FindWavSound(header);
}

}  // namespace consort
