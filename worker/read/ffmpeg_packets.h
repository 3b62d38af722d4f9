// How many samples the packets of a sound track give when they are decoded, without decoding them.
#pragma once

#include <cstdint>

#include "worker/read/ffmpeg_library.h"

namespace consort {

class FfmpegPackets {
 public:
  // Of a track whose codec counts (ffmpeg_kinds.h). `decoder` is one that has decoded a frame of
  // it; both must outlive this.
  FfmpegPackets(const FfmpegLibrary& library, const AVStream& stream, AVCodecContext& decoder);
  ~FfmpegPackets();
  FfmpegPackets(const FfmpegPackets&) = delete;
  FfmpegPackets& operator=(const FfmpegPackets&) = delete;

  // The next packet's: what is heard of it, when the container has had its word on what to leave
  // out at the track's beginning and end.
  int64_t Heard(const AVPacket& packet);
  // Nothing more is left out, until the container says so again.
  bool settled() const { return skip_ == 0; }

 private:
  int64_t Samples(const AVPacket& packet);

  const FfmpegLibrary& library_;
  const AVStream& stream_;
  AVCodecContext& decoder_;
  AVCodecParserContext* parser_ = nullptr;
  bool first_ = true;
  int64_t skip_ = 0;
};

}  // namespace consort
