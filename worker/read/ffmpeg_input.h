// A container, by libavformat: the packets of its sound track, from a descriptor and nothing else.
//
// No protocol, no other file and no demuxer that would want one (ffmpeg_kinds.h); no decoder of
// pictures is ever run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "worker/read/decoder.h"
#include "worker/read/ffmpeg_kinds.h"
#include "worker/read/ffmpeg_library.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class FfmpegInput {
 public:
  // `clock`, if any, is told of each read, and must outlive this.
  explicit FfmpegInput(StageClock* clock) : clock_(clock) {}
  ~FfmpegInput() { Close(); }
  FfmpegInput(const FfmpegInput&) = delete;
  FfmpegInput& operator=(const FfmpegInput&) = delete;

  Opening Open(const FfmpegLibrary& library, int fd);
  void Close();

  // The sound track that `ffmpeg` itself would take, and its codec.
  AVStream& stream() { return *format_->streams[stream_]; }
  const FfmpegCodec& codec() const { return codec_; }
  // What FFmpeg calls it, the first of its names; "mp4" for the whole family of MP4 and MOV.
  // Of the last one that could be opened.
  const std::string& container_name() const { return container_name_; }
  // How many packets a table at the container's beginning has of the track; 0: there is none.
  int64_t promised_packets() const;
  // How long the container says that it is, if the track is all that is in it; 0: it does not say.
  double claimed_seconds() const;

  // It is frames, one behind the other, and nothing that says how many.
  bool is_bare_frames() const;
  // It is, and the packet ends within a frame, as far as that can be told (frame_end.h).
  bool IsCutFrame(const AVPacket& packet) const;

  // The track's next packet. False at the end, or where the container is damaged: failed().
  bool Next(AVPacket& packet);
  bool failed() const { return failed_; }
  // The container says so, of the track or of a packet that Next gave.
  bool encrypted() const { return encrypted_; }
  // Near, and not after, this time stamp of the track.
  bool SeekTo(int64_t timestamp);

  bool at_end_of_bytes() const { return at_ >= size_; }
  int io_errno() const { return error_; }

 private:
  static int ReadBytes(void* self, uint8_t* out, int wanted);
  static int64_t SeekBytes(void* self, int64_t offset, int whence);
  MaybeFault ChooseStream();

  StageClock* clock_;
  const FfmpegLibrary* library_ = nullptr;
  int fd_ = -1;
  int64_t at_ = 0;
  int64_t size_ = 0;
  int error_ = 0;
  bool failed_ = false;
  bool encrypted_ = false;
  AVIOContext* io_ = nullptr;
  AVFormatContext* format_ = nullptr;
  std::string container_name_;
  unsigned stream_ = 0;
  FfmpegCodec codec_{};
};

}  // namespace consort
