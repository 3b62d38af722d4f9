#include "worker/read/ffmpeg_packets.h"

#include <algorithm>
#include <cstring>

namespace consort {
namespace {

uint32_t Big(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | at[3];
}

uint32_t Little(const uint8_t* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));  // Linux on x86-64 and ARM64: little-endian
  return value;
}

// A frame begins with 3 bits of element kind, 4 of instance, 12 unused, one that says whether its
// number of samples follows, 2 + 1 more; otherwise it has as many as the configuration says:
// github.com/macosforge/alac, ALACMagicCookieDescription.txt and codec/ALACDecoder.cpp.
int64_t AlacSamples(const AVPacket& packet, const AVCodecParameters& parameters) {
  if (packet.size >= 7 && (packet.data[2] & 0x10) != 0) {
    // 23 bits, then the number: from the last bit of byte 2 on.
    const uint64_t bits = static_cast<uint64_t>(packet.data[2]) << 32 | Big(packet.data + 3);
    return static_cast<int64_t>(bits >> 1 & 0xFFFF'FFFF);
  }
  return parameters.extradata_size >= 16 ? Big(parameters.extradata + 12) : 0;
}

}  // namespace

FfmpegPackets::FfmpegPackets(const FfmpegLibrary& library, const AVStream& stream,
                             AVCodecContext& decoder)
    : library_(library), stream_(stream), decoder_(decoder) {
  switch (stream.codecpar->codec_id) {
    case AV_CODEC_ID_FLAC:
    case AV_CODEC_ID_VORBIS:
      parser_ = library.av_parser_init(stream.codecpar->codec_id);
      if (parser_ != nullptr) parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
      break;
    default:
      break;
  }
}

FfmpegPackets::~FfmpegPackets() {
  if (parser_ != nullptr) library_.av_parser_close(parser_);
}

int64_t FfmpegPackets::Samples(const AVPacket& packet) {
  if (parser_ != nullptr) {
    uint8_t* out = nullptr;
    int out_size = 0;
    parser_->duration = 0;
    library_.av_parser_parse2(parser_, &decoder_, &out, &out_size, packet.data, packet.size,
                              packet.pts, packet.dts, packet.pos);
    return parser_->duration;
  }
  switch (stream_.codecpar->codec_id) {
    case AV_CODEC_ID_AAC:
      return decoder_.frame_size;
    case AV_CODEC_ID_ALAC:
      return AlacSamples(packet, *stream_.codecpar);
    default:  // PCM, MP2, MP3, AC-3
      return library_.av_get_audio_frame_duration2(stream_.codecpar, packet.size);
  }
}

// As libavcodec leaves out samples: discard_samples in its decode.c.
int64_t FfmpegPackets::Heard(const AVPacket& packet) {
  int64_t samples = std::max<int64_t>(0, Samples(packet));
  // A Vorbis decoder needs two packets to give its first samples.
  if (first_ && stream_.codecpar->codec_id == AV_CODEC_ID_VORBIS) samples = 0;
  first_ = false;
  int64_t from_end = 0;
  size_t size = 0;
  const uint8_t* const side =
      library_.av_packet_get_side_data(&packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
  if (side != nullptr && size >= 10) {
    skip_ = Little(side);
    from_end = Little(side + 4);
  }
  const int64_t whole = samples;
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0) {
    skip_ = std::max<int64_t>(0, skip_ - samples);
    return 0;
  }
  const int64_t left_out = std::min(skip_, samples);
  skip_ -= left_out;
  samples -= left_out;
  if (from_end > 0 && from_end <= whole) samples = std::max<int64_t>(0, samples - from_end);
  return samples;
}

}  // namespace consort
