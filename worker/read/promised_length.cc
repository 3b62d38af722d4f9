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

  // Valid until the next call.
  std::string_view Tag(int64_t at, size_t width = 4) { return {Fetch(at, width), width}; }
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
  int fd_;
  std::array<char, 512> bytes_{};  // of the file, from bytes_at_ on
  int64_t bytes_at_ = 0;
  int64_t bytes_size_ = 0;
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

// What a header says of its sound.
struct SoundChunk {
  uint64_t bytes = 0;
  int64_t bytes_at = 0;     // where the header has that number
  size_t bytes_width = 0;   // of the number
  int64_t sound_at = 0;     // where the sound begins
  int64_t block_bytes = 0;  // 0: it is not known
  int64_t frames_per_block = 1;
  int64_t bytes_a_second = 0;
  bool plain = false;  // samples lie in it as they are
};

void ReadWavFormat(Header& header, int64_t at, uint64_t size, SoundChunk& chunk) {
  const uint64_t format = header.Number(at, 2);
  chunk.bytes_a_second = static_cast<int64_t>(header.Number(at + 8, 4));
  chunk.block_bytes = static_cast<int64_t>(header.Number(at + 12, 2));
  // ADPCM and GSM: a block of bytes is many frames. 1, 3, 6, 7: PCM, float, A-law, µ-law.
  chunk.plain = format == 1 || format == 3 || format == 6 || format == 7 || format == 0xFFFE;
  if (chunk.plain) return;
  chunk.frames_per_block = size >= 20 ? static_cast<int64_t>(header.Number(at + 18, 2)) : 0;
  if (chunk.frames_per_block == 0) chunk.block_bytes = 0;
}

std::optional<SoundChunk> FindWavSound(Header& header) {
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

// Sony's Wave64: chunks begin with 16 bytes of name, whose first four are those of a WAV, and their
// size with that, 24 bytes, in it; each begins at a multiple of 8.
std::optional<SoundChunk> FindW64Sound(Header& header) {
  constexpr int64_t kHeadBytes = 24;
  SoundChunk chunk;
  int64_t at = 40;
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const std::string tag(header.Tag(at));
    const uint64_t size = header.Number(at + 16, 8);
    if (!header.good) break;
    if (tag == "fmt ") {
      ReadWavFormat(header, at + kHeadBytes, size - kHeadBytes, chunk);
    } else if (tag == "data") {
      chunk.bytes = size < kHeadBytes || size >> 62 != 0 ? 0 : size - kHeadBytes;
      chunk.bytes_at = at + 16;
      chunk.bytes_width = 8;
      chunk.sound_at = at + kHeadBytes;
      return chunk;
    }
    if (size < kHeadBytes || size >> 62 != 0) break;
    at += static_cast<int64_t>((size + 7) / 8 * 8);
  }
  return std::nullopt;
}

constexpr char kW64Riff[] = "riff\x2E\x91\xCF\x11\xA5\xD6\x28\xDB\x04\xC1";

bool IsW64(Header& header) {
  const std::string_view riff(kW64Riff, sizeof(kW64Riff) - 1);
  return header.Tag(0, riff.size()) == riff;
}

// RIFF, RIFX, RF64, W64; the header's byte order is set.
std::optional<SoundChunk> FindSound(Header& header, bool& is_w64) {
  const std::string form(header.Tag(0));
  const std::string kind(header.Tag(8));
  is_w64 = IsW64(header);
  if (!header.good) return std::nullopt;
  if (is_w64) return FindW64Sound(header);
  if (kind != "WAVE" || (form != "RIFF" && form != "RIFX" && form != "RF64")) return std::nullopt;
  header.big_endian = form == "RIFX";
  return FindWavSound(header);
}

// Tags of other programs that stand behind a file's chunks, in none.
bool IsForeignTag(std::string_view tag) {
  return tag.starts_with("ID3") || tag.starts_with("TAG") || tag == "APET" || tag == "LYRI";
}

// Chunks that are known to follow the sound, also where one is cut short.
bool IsChunkName(std::string_view tag) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"LIST", "list", "id3 ", "ID3 ", "bext", "iXML", "axml", "cue ", "smpl", "inst",
       "fact", "JUNK", "junk", "PAD ", "FLLR", "PEAK", "levl", "umid", "acid", "strc",
       "afsp", "wamd", "guan", "_PMX", "DISP", "plst", "labl", "note"});
  return std::ranges::find(kNames, tag) != kNames.end();
}

// Whether what follows the sound is chunks up to the file's end, or tags of other programs.
bool ChunksFollow(Header& header, int64_t at, int64_t file_bytes) {
  for (int i = 0; i < kMaxChunks; ++i) {
    if (file_bytes - at < 8) return true;
    const std::string tag(header.Tag(at));
    const auto size = static_cast<int64_t>(header.Number(at + 4, 4));
    if (IsForeignTag(tag) || IsChunkName(tag)) return true;
    const bool printable = std::ranges::all_of(tag, [](char c) { return c >= 0x20 && c < 0x7F; });
    if (!printable || size > file_bytes - at - 8) return false;
    at += 8 + size + (size & 1);
  }
  return false;
}

bool OnlyZeros(int fd, int64_t at, int64_t end) {
  std::array<char, 16 * 1024> piece;
  while (at < end) {
    const auto wanted = std::min<int64_t>(end - at, piece.size());
    const ssize_t got = ::pread(fd, piece.data(), static_cast<size_t>(wanted), at);
    if (got <= 0) return true;
    const auto bytes = std::string_view(piece.data(), static_cast<size_t>(got));
    if (bytes.find_first_not_of('\0') != std::string_view::npos) return false;
    at += got;
  }
  return true;
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
  bool is_w64 = false;
  if (const auto sound = FindSound(header, is_w64)) {
    return Promise(sound->bytes, sound->sound_at, file_bytes, sound->block_bytes,
                   sound->frames_per_block);
  }
  header.good = true;
  const std::string form(header.Tag(0));
  const std::string kind(header.Tag(8));
  header.big_endian = true;
  if (form == "FORM" && (kind == "AIFF" || kind == "AIFC")) {
    return AiffPromise(header, file_bytes, kind == "AIFC");
  }
  if (form == "dns.") header.big_endian = false;
  if (form == ".snd" || form == "dns.") return AuPromise(header, file_bytes);
  return std::nullopt;
}

std::optional<UnfinishedHeader> FindUnfinishedHeader(int fd, int64_t file_bytes) {
  Header header(fd);
  bool is_w64 = false;
  const auto sound = FindSound(header, is_w64);
  if (!sound || file_bytes <= sound->sound_at) return std::nullopt;
  const int64_t there = file_bytes - sound->sound_at;
  const auto said = static_cast<int64_t>(std::min(sound->bytes, uint64_t{1} << 62));
  if (said > there) {
    // libsndfile takes what is there.
    return IsPlaceholder(sound->bytes) ? std::optional(UnfinishedHeader()) : std::nullopt;
  }
  const int64_t more = there - said;
  const int64_t least = said == 0 ? 1 : std::max<int64_t>(8, sound->bytes_a_second / 10);
  if (more < least || (said > 0 && !sound->plain)) return std::nullopt;
  const int64_t end = sound->sound_at + said + (said & 1);
  if (is_w64) return UnfinishedHeader();  // libsndfile takes what is there, whatever it is
  if (ChunksFollow(header, end, file_bytes)) return std::nullopt;
  // Behind what the header says: room that was made for more.
  if (said > 0 && OnlyZeros(fd, end, file_bytes)) return std::nullopt;
  UnfinishedHeader found{sound->bytes_at, {}};
  uint64_t number = static_cast<uint64_t>(there);
  if (sound->bytes_width == 4) number = std::min<uint64_t>(number, 0xFFFF'FFFF);
  for (size_t i = 0; i < sound->bytes_width; ++i) {
    const size_t byte = header.big_endian ? sound->bytes_width - 1 - i : i;
    found.bytes += static_cast<char>(number >> (8 * byte));
  }
  return found;
}

}  // namespace consort
