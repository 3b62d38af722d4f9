#include "worker/read/promised_length.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "worker/read/wave_header.h"

namespace consort {
namespace {

constexpr std::string_view kSphereMagic = "NIST_1A\n";
constexpr size_t kSphereHalf = 512;  // of the header, which has 1024 bytes or more
constexpr std::string_view kVocMagic = "Creative Voice File\x1a";

std::optional<int64_t> Promise(uint64_t data_bytes, int64_t data_at, int64_t file_bytes,
                               int64_t block_bytes, int64_t frames_per_block) {
  if (IsPlaceholder(data_bytes) || block_bytes <= 0) return std::nullopt;
  if (static_cast<int64_t>(data_bytes) <= file_bytes - data_at) return std::nullopt;
  return static_cast<int64_t>(data_bytes) / block_bytes * frames_per_block;
}

std::optional<int64_t> AiffPromise(HeaderBytes& header, int64_t file_bytes, bool compressed) {
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

std::optional<int64_t> AuPromise(HeaderBytes& header, int64_t file_bytes) {
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

// NIST SPHERE: as many bytes as the second line says of lines "name -type value".
// https://www.openslr.org (sph2pipe's nist.h has the fields).
std::optional<int64_t> SpherePromise(HeaderBytes& header, int64_t file_bytes) {
  std::string text(header.Tag(0, kSphereHalf));
  const int64_t data_at = std::atoll(text.c_str() + kSphereMagic.size());
  if (!header.good || data_at < static_cast<int64_t>(2 * kSphereHalf)) return std::nullopt;
  text += header.Tag(kSphereHalf, kSphereHalf);
  const auto number = [&text](const std::string& name) -> int64_t {
    const size_t at = text.find('\n' + name + " -");
    const size_t value = at == std::string::npos ? at : text.find(' ', at + name.size() + 2);
    return value == std::string::npos ? 0 : std::atoll(text.c_str() + value);
  };
  const int64_t frames = number("sample_count");
  int64_t block_bytes = 0;
  int64_t bytes = 0;
  if (!header.good || frames <= 0 || IsPlaceholder(static_cast<uint64_t>(frames)) ||
      __builtin_mul_overflow(number("channel_count"), number("sample_n_bytes"), &block_bytes) ||
      __builtin_mul_overflow(frames, block_bytes, &bytes)) {
    return std::nullopt;
  }
  return Promise(static_cast<uint64_t>(bytes), data_at, file_bytes, block_bytes, 1);
}

enum VocKind : uint8_t { kVocEnd = 0, kVocNewSound = 9 };  // and what lies between
constexpr int64_t kVocFormatBytes = 12;

struct VocBlock {
  int64_t from;  // where its content begins
  int64_t size;
};

// Creative's VOC: blocks of a kind, three bytes of length, and content. The first with sound in it,
// of the newer kind; the older one, where it is of several, is FFmpeg's.
std::optional<VocBlock> FirstVocSound(HeaderBytes& header) {
  constexpr uint64_t kAny = 0xFF'FF00;  // as long as a block can say, and near it
  auto at = static_cast<int64_t>(header.Number(20, 2));
  for (int i = 0; i < kMaxChunks && header.good; ++i) {
    const uint64_t kind = header.Number(at, 1);
    const uint64_t size = kind == kVocEnd ? 0 : header.Number(at + 1, 3);
    if (!header.good || kind == kVocEnd || size >= kAny) break;
    const VocBlock block{at + 4, static_cast<int64_t>(size)};
    if (kind == kVocNewSound && block.size > kVocFormatBytes) return block;
    at = block.from + block.size;
  }
  return std::nullopt;
}

std::optional<int64_t> VocPromise(HeaderBytes& header, int64_t file_bytes) {
  const auto sound = FirstVocSound(header);
  if (!sound) return std::nullopt;
  const auto bits = static_cast<int64_t>(header.Number(sound->from + 4, 1));
  const auto channels = static_cast<int64_t>(header.Number(sound->from + 5, 1));
  return Promise(static_cast<uint64_t>(sound->size - kVocFormatBytes),
                 sound->from + kVocFormatBytes, file_bytes, channels * bits / 8, 1);
}

}  // namespace

bool VocGoesOn(int fd, int64_t file_bytes) {
  constexpr int64_t kSizes = 1 << 24;  // that a block's three bytes can say
  HeaderBytes header(fd);
  const auto sound = FirstVocSound(header);
  if (!sound) return false;
  const int64_t end = sound->from + sound->size;
  const int64_t rest = file_bytes - end;
  // Up to the last byte, which is the end's, it is still this block where the size has lost its
  // upper bits, or is half of what it was (old versions of SoX, as libsndfile knows them).
  const bool old_sox = 2 * sound->size == file_bytes - 39;
  if (rest <= 1 || rest % kSizes <= 1 || old_sox) return false;
  const uint64_t kind = header.Number(end, 1);
  return header.good && kind != kVocEnd && kind <= kVocNewSound;
}

std::optional<int64_t> PromisedFrames(int fd, int64_t file_bytes) {
  HeaderBytes header(fd);
  bool is_w64 = false;
  if (const auto sound = FindWaveSound(header, is_w64)) {
    return Promise(sound->bytes, sound->sound_at, file_bytes, sound->block_bytes,
                   sound->frames_per_block);
  }
  header.good = true;
  if (header.Tag(0, kSphereMagic.size()) == kSphereMagic) return SpherePromise(header, file_bytes);
  header.good = true;
  header.big_endian = false;
  if (header.Tag(0, kVocMagic.size()) == kVocMagic) return VocPromise(header, file_bytes);
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

}  // namespace consort
