#include "worker/read/frame_end.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace consort {
namespace {

using Bytes = std::span<const uint8_t>;

// What a frame begins with, and how much of it says how long it is.
struct Header {
  uint8_t first;
  uint8_t second;
  uint8_t second_mask;  // bits that count
  size_t same;          // its first bytes that all frames have alike
  size_t bytes;
  // Of a frame that begins with those; 0: no header.
  size_t (*frame_bytes)(Bytes header);
};

// ISO/IEC 13818-7, 6.2: the length, header included, in the 13 bits from the 31st on.
size_t AdtsBytes(Bytes at) {
  constexpr size_t kLeast = 7;
  constexpr int kRates = 13;
  if ((at[2] >> 2 & 15) >= kRates) return 0;
  const auto bytes = static_cast<size_t>((at[3] & 3) << 11 | at[4] << 3 | at[5] >> 5);
  return bytes < kLeast ? 0 : bytes;
}

// ETSI TS 102 366: E-AC-3 (E.1.2.2) has its length less one in 16-bit words; AC-3 (table 4.13) a
// code for the rate and, at 44.1 kHz, for the one word more that some frames have.
size_t Ac3Bytes(Bytes at) {
  constexpr std::array<size_t, 19> kKbits = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                             192, 224, 256, 320, 384, 448, 512, 576, 640};
  constexpr int kLastOfAc3 = 10;
  const int version = at[5] >> 3;
  if (version > kLastOfAc3) return 2 * (static_cast<size_t>((at[2] & 7) << 8 | at[3]) + 1);
  const size_t code = at[4] & 0x3F;
  if (code / 2 >= kKbits.size()) return 0;
  const size_t kbits = kKbits[code / 2];
  switch (at[4] >> 6) {
    case 0:  // 48 kHz
      return 4 * kbits;
    case 1:  // 44.1 kHz
      return 2 * (320 * kbits / 147 + code % 2);
    case 2:  // 32 kHz
      return 6 * kbits;
    default:
      return 0;
  }
}

// ISO/IEC 11172-3, 2.4.1.3 and 13818-3: 1,152 samples of so many kbit/s, and one byte more in some.
size_t Mp2Bytes(Bytes at) {
  constexpr std::array<size_t, 15> kKbits = {0,   32,  48,  56,  64,  80,  96, 112,
                                             128, 160, 192, 224, 256, 320, 384};
  constexpr std::array<size_t, 15> kKbitsOfLowRates = {0,  8,  16, 24,  32,  40,  48, 56,
                                                       64, 80, 96, 112, 128, 144, 160};
  constexpr std::array<size_t, 3> kRates = {44'100, 48'000, 32'000};
  constexpr int kMpeg1 = 3;
  constexpr int kMpeg2 = 2;
  constexpr int kLayer2 = 2;
  const int version = at[1] >> 3 & 3;
  const size_t kbits = at[2] >> 4;
  const size_t rate = at[2] >> 2 & 3;
  const bool known = (version == kMpeg1 || version == kMpeg2) && (at[1] >> 1 & 3) == kLayer2;
  // 0 kbit/s: any, which only the next header tells.
  if (!known || kbits == 0 || kbits >= kKbits.size() || rate >= kRates.size()) return 0;
  const size_t hertz = version == kMpeg1 ? kRates[rate] : kRates[rate] / 2;
  const size_t bits = 1000 * (version == kMpeg1 ? kKbits : kKbitsOfLowRates)[kbits];
  return 1152 / 8 * bits / hertz + (at[2] >> 1 & 1);
}

const Header* HeaderOf(AVCodecID codec) {
  static constexpr Header kAdts = {0xFF, 0xF0, 0xF6, 3, 7, AdtsBytes};
  static constexpr Header kAc3 = {0x0B, 0x77, 0xFF, 2, 6, Ac3Bytes};
  static constexpr Header kMp2 = {0xFF, 0xF0, 0xF0, 2, 4, Mp2Bytes};
  switch (codec) {
    case AV_CODEC_ID_AAC:
      return &kAdts;
    case AV_CODEC_ID_AC3:
    case AV_CODEC_ID_EAC3:
      return &kAc3;
    case AV_CODEC_ID_MP2:
      return &kMp2;
    default:
      return nullptr;
  }
}

}  // namespace

bool EndsWithinFrame(AVCodecID codec, Bytes packet) {
  const Header* const header = HeaderOf(codec);
  if (header == nullptr) return false;
  const Bytes first = packet;
  while (!packet.empty()) {
    // What fills up the file, or somebody's tag, need not be a frame.
    const bool is_first = packet.size() == first.size();
    const size_t same = std::min(packet.size(), header->same);
    if (!is_first && !std::ranges::equal(packet.first(same), first.first(same))) return false;
    if (packet[0] != header->first) return false;
    if (packet.size() > 1 && (packet[1] & header->second_mask) != header->second) return false;
    if (packet.size() < header->bytes) return true;
    const size_t frame = header->frame_bytes(packet);
    if (frame == 0) return false;
    if (frame > packet.size()) return true;
    packet = packet.subspan(frame);
  }
  return false;
}

}  // namespace consort
