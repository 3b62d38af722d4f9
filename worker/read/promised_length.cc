#include "worker/read/promised_length.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace consort {
namespace {

// Bytes of the file at an offset, as numbers of either byte order. Reading beyond the end gives
// zeros and makes it bad.
class Header {
 public:
  explicit Header(int fd) : fd_(fd) {}
  bool big_endian = false;
  bool good = true;

  std::string_view Tag(int64_t at) { return {Fetch(at, 4), 4}; }
  uint64_t Number(int64_t at, size_t width) {
    const char* bytes = Fetch(at, width);
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i) {
      const size_t from = big_endian ? i : width - 1 - i;
      value = value << 8 | static_cast<unsigned char>(bytes[from]);
    }
    return value;
  }

 private:
  const char* Fetch(int64_t at, size_t width) {
    bytes_.fill(0);
    if (::pread(fd_, bytes_.data(), width, at) != static_cast<ssize_t>(width)) good = false;
    return bytes_.data();
  }
  int fd_;
  std::array<char, 8> bytes_{};
};

constexpr int kMaxChunks = 1000;  // before the sound; a guard against a crafted file

// A size that a program writes when it does not know yet: 0 and the ends of the signed and the
// unsigned range, less what the headers take, rounded to a buffer (sox: 0x7FFFF000).
bool IsPlaceholder(uint64_t size) {
  return size == 0 || (size >= 0x7FFF'0000 && size <= 0x8000'0000) ||
         (size >= 0xFFFF'0000 && size <= 0xFFFF'FFFF) || size >= uint64_t{1} << 62;
}

std::optional<int64_t> Promise(uint64_t data_bytes, int64_t data_at, int64_t file_bytes,
                               int64_t block_bytes, int64_t frames_per_block) {
  if (IsPlaceholder(data_bytes) || block_bytes <= 0) return std::nullopt;
  if (static_cast<int64_t>(data_bytes) <= file_bytes - data_at) return std::nullopt;
  return static_cast<int64_t>(data_bytes) / block_bytes * frames_per_block;
}

std::optional<int64_t> WavPromise(Header& header, int64_t file_bytes) {
  int64_t block_bytes = 0;
  int64_t frames_per_block = 1;
  uint64_t wide_data_bytes = 0;  // RF64
  int64_t at = 12;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const std::string tag(header.Tag(at));
    uint64_t size = header.Number(at + 4, 4);
    if (!header.good) break;
    if (tag == "ds64") {
      wide_data_bytes = header.Number(at + 16, 8);
    } else if (tag == "fmt ") {
      const uint64_t format = header.Number(at + 8, 2);
      block_bytes = static_cast<int64_t>(header.Number(at + 20, 2));
      // ADPCM and GSM: a block of bytes is many frames. 1, 3, 6, 7: PCM, float, A-law, µ-law.
      if (format != 1 && format != 3 && format != 6 && format != 7 && format != 0xFFFE) {
        frames_per_block = size >= 20 ? static_cast<int64_t>(header.Number(at + 26, 2)) : 0;
        if (frames_per_block == 0) return std::nullopt;
      }
    } else if (tag == "data") {
      if (size == 0xFFFF'FFFF && wide_data_bytes != 0) size = wide_data_bytes;
      return Promise(size, at + 8, file_bytes, block_bytes, frames_per_block);
    }
    at += 8 + static_cast<int64_t>(size + (size & 1));
  }
  return std::nullopt;
}

std::optional<int64_t> AiffPromise(Header& header, int64_t file_bytes, bool compressed) {
  int64_t frames = 0;
  int64_t block_bytes = 0;
  int64_t at = 12;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const std::string tag(header.Tag(at));
    const uint64_t size = header.Number(at + 4, 4);
    if (!header.good) break;
    if (tag == "COMM") {
      const auto channels = static_cast<int64_t>(header.Number(at + 8, 2));
      frames = static_cast<int64_t>(header.Number(at + 10, 4));
      const auto bits = static_cast<int64_t>(header.Number(at + 14, 2));
      block_bytes = channels * ((bits + 7) / 8);
      if (compressed) {
        const std::string kind(header.Tag(at + 26));
        if (kind == "ulaw" || kind == "ULAW" || kind == "alaw" || kind == "ALAW") {
          block_bytes = channels;
        } else if (kind != "NONE" && kind != "sowt" && kind != "twos" && kind != "fl32" &&
                   kind != "FL32" && kind != "fl64" && kind != "FL64" && kind != "raw " &&
                   kind != "in24" && kind != "in32") {
          return std::nullopt;
        }
      }
    } else if (tag == "SSND") {
      if (size < 8) return std::nullopt;
      const auto promised = Promise(size - 8, at + 16, file_bytes, block_bytes, 1);
      // COMM is the word of the format; the chunk may be padded.
      if (promised && frames > 0 && !IsPlaceholder(static_cast<uint64_t>(frames))) {
        return std::min(*promised, frames);
      }
      return promised;
    }
    at += 8 + static_cast<int64_t>(size + (size & 1));
  }
  return std::nullopt;
}

std::optional<int64_t> AuPromise(Header& header, int64_t file_bytes) {
  const auto data_at = static_cast<int64_t>(header.Number(4, 4));
  const uint64_t data_bytes = header.Number(8, 4);
  const uint64_t encoding = header.Number(12, 4);
  const auto channels = static_cast<int64_t>(header.Number(20, 4));
  static constexpr std::array<int64_t, 8> kBytes = {0, 1, 1, 2, 3, 4, 4, 8};
  if (!header.good || encoding >= kBytes.size())
    return encoding == 27 && header.good ? Promise(data_bytes, data_at, file_bytes, channels, 1)
                                         : std::nullopt;
  return Promise(data_bytes, data_at, file_bytes, channels * kBytes[encoding], 1);
}

}  // namespace

std::optional<int64_t> PromisedFrames(int fd, int64_t file_bytes) {
  Header header(fd);
  const std::string form(header.Tag(0));
  const std::string kind(header.Tag(8));
  if (form == "RIFX") header.big_endian = true;
  if ((form == "RIFF" || form == "RIFX" || form == "RF64") && kind == "WAVE") {
    return WavPromise(header, file_bytes);
  }
  header.big_endian = true;
  if (form == "FORM" && (kind == "AIFF" || kind == "AIFC")) {
    return AiffPromise(header, file_bytes, kind == "AIFC");
  }
  if (form == "dns.") header.big_endian = false;
  if (form == ".snd" || form == "dns.") return AuPromise(header, file_bytes);
  return std::nullopt;
}

std::optional<int64_t> UnfinishedWavSizeField(int fd, int64_t file_bytes) {
  Header header(fd);
  if (header.Tag(0) != "RIFF" || header.Tag(8) != "WAVE") return std::nullopt;
  const auto total = static_cast<int64_t>(header.Number(4, 4));
  int64_t at = 12;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const bool is_data = header.Tag(at) == "data";
    const auto size = static_cast<int64_t>(header.Number(at + 4, 4));
    if (is_data) {
      if (size != 0 || at + 8 >= file_bytes) return std::nullopt;
      if (total + 8 > at + 8 && total < 0x7FFF'0000) return std::nullopt;  // empty, more chunks
      return at + 4;
    }
    at += 8 + size + (size & 1);
  }
  return std::nullopt;
}

}  // namespace consort
