#include "worker/read/header_mend.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "worker/read/wave_header.h"

namespace consort {
namespace {

constexpr uint64_t kMost4Bytes = 0xFFFF'FFFE;  // one more is a placeholder

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

// Whether what follows is chunks up to the file's end, or tags of other programs.
bool ChunksFollow(HeaderBytes& header, int64_t at, int64_t file_bytes) {
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

// The same of Wave64.
bool W64ChunksFollow(HeaderBytes& header, int64_t at, int64_t file_bytes) {
  for (int i = 0; i < kMaxChunks; ++i) {
    if (file_bytes - at < kW64HeadBytes) return true;
    const std::string tag(header.Tag(at));
    const uint64_t size = header.Number(at + 16, 8);
    if (IsForeignTag(tag) || IsChunkName(tag)) return true;
    const bool printable = std::ranges::all_of(tag, [](char c) { return c >= 0x20 && c < 0x7F; });
    const bool fits = size >= kW64HeadBytes && size <= static_cast<uint64_t>(file_bytes - at);
    if (!printable || !fits) return false;
    at += static_cast<int64_t>((size + 7) / 8 * 8);
  }
  return false;
}

// Zeros as far as looked: all of the beginning and of the end, and places in between. Room that was
// made for more may be gigabytes, and a recording is not silent to the bit wherever one looks.
class Zeros {
 public:
  Zeros(int fd, StageClock* clock) : fd_(fd), clock_(clock) {}

  bool Only(int64_t at, int64_t end) {
    constexpr int64_t kFront = 1 << 20;
    constexpr int64_t kBack = 64 << 10;
    constexpr int64_t kPlaces = 128;
    // Room that was never written to has no data.
    const off_t data = ::lseek(fd_, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return true;
    if (data > at) at = std::min<int64_t>(data, end);
    if (!AllRead(at, std::min(end, at + kFront))) return false;
    if (!AllRead(std::max(at, end - kBack), end)) return false;
    for (int64_t i = 1; i < kPlaces; ++i) {
      const int64_t place = at + (end - at) / kPlaces * i;
      if (!AllRead(place, std::min(end, place + static_cast<int64_t>(piece_.size())))) return false;
    }
    return true;
  }

 private:
  bool AllRead(int64_t at, int64_t end) {
    while (at < end) {
      if (clock_ != nullptr) clock_->Step();
      const auto wanted = std::min<int64_t>(end - at, piece_.size());
      const ssize_t got = ::pread(fd_, piece_.data(), static_cast<size_t>(wanted), at);
      if (got <= 0) return true;
      const auto bytes = std::string_view(piece_.data(), static_cast<size_t>(got));
      if (bytes.find_first_not_of('\0') != std::string_view::npos) return false;
      at += got;
    }
    return true;
  }

  int fd_;
  StageClock* clock_;
  std::array<char, 16 * 1024> piece_;
};

struct Found {
  HeaderBytes& header;
  const SoundChunk& sound;
  bool is_w64;
  int64_t file_bytes;
};

// Whether sound of so many bytes is followed by chunks or tags. Some writers leave out the byte
// that an odd size is padded with.
bool EndsWith(const Found& found, int64_t bytes) {
  if (found.is_w64) {
    const int64_t whole = (kW64HeadBytes + bytes + 7) / 8 * 8;
    return W64ChunksFollow(found.header, found.sound.sound_at - kW64HeadBytes + whole,
                           found.file_bytes);
  }
  const int64_t end = found.sound.sound_at + bytes;
  if (ChunksFollow(found.header, end + (bytes & 1), found.file_bytes)) return true;
  return (bytes & 1) != 0 && ChunksFollow(found.header, end, found.file_bytes);
}

std::string Little(uint64_t number, size_t width) {
  std::string bytes;
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

// The header of an RF64 file (EBU Tech 3306) with this format and so many bytes of sound. Empty:
// libsndfile reads no such format in RF64.
std::string Rf64Head(const Found& found, uint64_t sound_bytes) {
  constexpr uint64_t kMostFormatBytes = 256;
  const SoundChunk& sound = found.sound;
  const bool usual = sound.format_bytes >= 16 && sound.format_bytes <= kMostFormatBytes;
  if (!sound.plain || !usual || found.header.big_endian || sound.block_bytes <= 0) return {};
  std::string format(found.header.Tag(sound.format_at, sound.format_bytes));
  if (!found.header.good) return {};
  if (format.size() % 2 != 0) format += '\0';
  const std::string unknown = Little(0xFFFF'FFFF, 4);
  const std::string data = "data" + unknown;
  const std::string form = "fmt " + Little(sound.format_bytes, 4) + format;
  constexpr uint64_t kSizesBytes = 28;
  const uint64_t whole = 4 + 8 + kSizesBytes + form.size() + data.size() + sound_bytes;
  return "RF64" + unknown + "WAVE" + "ds64" + Little(kSizesBytes, 4) + Little(whole, 8) +
         Little(sound_bytes, 8) +
         Little(sound_bytes / static_cast<uint64_t>(sound.block_bytes), 8) + Little(0, 4) + form +
         data;
}

// A size of 4 bytes that was finished may have run over, and more than once.
int64_t SoundBeyond4GiB(const Found& found, int64_t said, int64_t there) {
  if (IsPlaceholder(found.sound.bytes)) return there;
  constexpr int64_t kOver = int64_t{1} << 32;
  for (int64_t bytes = said + kOver; bytes <= there; bytes += kOver) {
    if (EndsWith(found, bytes)) return bytes;
  }
  return there;
}

HeaderMend MendSize(const Found& found, int64_t said, int64_t there) {
  const SoundChunk& sound = found.sound;
  HeaderMend mend{.unfinished = true};
  uint64_t bytes = static_cast<uint64_t>(there);
  if (sound.bytes_width == 4 && bytes > kMost4Bytes) {
    bytes = static_cast<uint64_t>(SoundBeyond4GiB(found, said, there));
    mend.bytes = Rf64Head(found, bytes);
    if (mend.bytes.empty()) return {.out_of_reach = true};
    mend.made_up_head = true;
    mend.until = sound.sound_at;
    mend.end = sound.sound_at + static_cast<int64_t>(bytes);
    return mend;
  }
  mend.at = sound.bytes_at;
  mend.until = mend.at + static_cast<int64_t>(sound.bytes_width);
  mend.bytes = Little(bytes, sound.bytes_width);
  if (found.header.big_endian) std::ranges::reverse(mend.bytes);
  return mend;
}

}  // namespace

HeaderMend FindHeaderMend(int fd, int64_t file_bytes, StageClock* clock) {
  HeaderBytes header(fd);
  bool is_w64 = false;
  const auto sound = FindWaveSound(header, is_w64);
  if (!sound || file_bytes <= sound->sound_at) return {};
  const Found found{header, *sound, is_w64, file_bytes};
  const int64_t there = file_bytes - sound->sound_at;
  const auto said = static_cast<int64_t>(std::min(sound->bytes, uint64_t{1} << 62));
  const bool unknown = IsPlaceholder(sound->bytes);
  if (said > there) return {.unfinished = unknown};  // libsndfile takes what is there
  const int64_t more = there - said;
  const int64_t least = said == 0 ? 1 : std::max<int64_t>(8, sound->bytes_a_second / 10);
  const int64_t end = sound->sound_at + said;
  const bool finished = more < least || (!unknown && !sound->plain) || EndsWith(found, said) ||
                        (said > 0 && Zeros(fd, clock).Only(end, file_bytes));
  // Of a W64 file libsndfile takes what is there, whatever it is.
  if (is_w64) return finished ? HeaderMend{.end = end} : HeaderMend{.unfinished = true};
  return finished ? HeaderMend() : MendSize(found, said, there);
}

}  // namespace consort
