// FFmpeg's libraries, wrapped once: the sound track of what libsndfile does not read. What is heard
// is what the program `ffmpeg` writes with `-f f32le`, the mean of its channels, the first or all.
//
// How a place is found again: FindLength goes through the packets once and notes one a second, with
// the number of the sample that it begins. Seek goes to the note before the last one before the
// place, decodes up to the last one unheard, and counts from there. Time stamps only find packets.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/bundle/manifest.h"
#include "worker/read/decoder.h"
#include "worker/read/ffmpeg_input.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class FfmpegDecoder : public Decoder {
 public:
  // `clock`, if any, is told of each read and each call of Read, and must outlive this.
  explicit FfmpegDecoder(StageClock* clock = nullptr,
                         AudioSpec::Channels heard = AudioSpec::Channels::kMix)
      : Decoder(heard), clock_(clock), input_(clock) {}
  ~FfmpegDecoder() override { FfmpegDecoder::Close(); }
  FfmpegDecoder(const FfmpegDecoder&) = delete;
  FfmpegDecoder& operator=(const FfmpegDecoder&) = delete;

  Opening Open(int fd) override;
  void Close() override;
  bool Restart() override;
  ContentLength FindLength() override;

  int32_t rate() const override { return rate_; }
  int32_t channels() const override { return channels_; }
  std::string container_name() const override { return input_.container_name(); }
  Seeking seeking() const override { return input_.codec().seeking; }
  int32_t preroll_seconds() const override { return 0; }

  bool Seek(int64_t frame) override;
  int64_t Read(std::span<float> out) override;
  bool damaged() const override { return damaged_; }
  bool at_end_of_bytes() const override { return damaged_at_end_; }
  int io_errno() const override { return input_.io_errno(); }
  const char* cut_words() const override {
    return input_.is_bare_frames() ? kCutFrameWords : kCutWords;
  }

 private:
  // A packet, and the sample that it begins.
  struct Note {
    int64_t timestamp;
    int64_t pos;
    int32_t size;
    int64_t sample;
    bool Is(const AVPacket& packet) const;
  };

  Opening Start();
  bool StartCodec();
  void StopCodec();
  bool NextFrame();
  // Of the rate, and where channels are heard one by one of the channels, that the first one has.
  bool GoesOn(const AVFrame& frame) const;
  // Gives the packet in hand to the codec. False: it was refused.
  bool Decode();
  // Of the packet in hand: the file ends within it.
  bool IsCut() const;
  void MeetDamage();
  ContentLength CountPackets();
  bool WasCut(int64_t packets, int64_t samples) const;
  bool SeekByNotes(int64_t frame);
  bool SkipTo(int64_t frame);

  StageClock* clock_;
  const FfmpegLibrary* library_ = nullptr;
  int fd_ = -1;
  FfmpegInput input_;
  AVCodecContext* codec_ = nullptr;
  AVPacket* packet_ = nullptr;
  AVFrame* frame_ = nullptr;
  bool packet_waits_ = false;  // read, and not given to the codec yet
  bool draining_ = false;      // the codec knows that no packet follows
  int64_t frame_at_ = 0;       // what was taken of frame_
  int64_t place_ = 0;          // of the next sample that Read gives
  int32_t rate_ = 0;
  int32_t channels_ = 0;  // of the first frame
  bool heard_ = false;    // the codec has given a frame since it started
  bool damaged_ = false;
  bool damaged_at_end_ = false;
  std::vector<Note> notes_;  // of the file whose length was found last
};

}  // namespace consort
