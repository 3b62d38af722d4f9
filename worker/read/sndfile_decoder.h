// libsndfile, wrapped once.
#pragma once

#include <sndfile.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "worker/read/decoder.h"
#include "worker/read/header_mend.h"
#include "worker/read/pcm.h"
#include "worker/read/regular_file.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class SndfileDecoder : public Decoder {
 public:
  // `clock`, if any, is told of each read(2) and each call of Read, and must outlive this.
  explicit SndfileDecoder(StageClock* clock = nullptr,
                          AudioSpec::Channels heard = AudioSpec::Channels::kMix)
      : Decoder(heard) {
    io_.clock = clock;
  }
  SndfileDecoder(const SndfileDecoder&) = delete;
  SndfileDecoder& operator=(const SndfileDecoder&) = delete;

  Opening Open(int fd) override;
  void Close() override;
  bool Restart() override;
  ContentLength FindLength() override;

  int32_t rate() const override { return info_.samplerate; }
  int32_t channels() const override { return info_.channels; }
  std::string container_name() const override;
  bool header_unfinished() const override { return io_.mend.unfinished; }
  Seeking seeking() const override;
  int32_t preroll_seconds() const override;

  // Costs nothing where a decoder just started stands: FLAC's would decode a block for it.
  bool Seek(int64_t frame) override;
  int64_t Read(std::span<float> out) override;
  bool damaged() const override { return damaged_; }
  bool at_end_of_bytes() const override { return io_.at >= io_.ShownSize(); }
  int io_errno() const override { return io_.error; }

 private:
  int container() const { return info_.format & SF_FORMAT_TYPEMASK; }
  int codec() const { return info_.format & SF_FORMAT_SUBMASK; }
  Opening OpenKnown();
  // The decoder starts anew on a header that was mended.
  MaybeFault MendHeader();
  bool OpenDecoder();
  PcmKind FindPcmKind();
  // Samples lie in the file as they are: their end is known from sizes alone.
  bool plain_pcm() const;
  // The decoder only guesses the length, from the size (MP3 without a Xing or Info header). From
  // then on info_.frames is beyond any real end, and reads go on to the content's end.
  bool LiftGuessedLength();
  ContentLength FindPcmLength();
  ContentLength FindOggLength();
  bool CanRead(int64_t frame);
  int64_t FirstUnreadable(int64_t low, int64_t high);
  int64_t ReadPcm(std::span<float> out);
  int64_t ReadFloats(std::span<float> out);
  struct Closer {
    void operator()(SNDFILE* file) const { sf_close(file); }
  };
  // What the callbacks see.
  struct Io {
    StageClock* clock = nullptr;
    int fd = -1;
    int64_t at = 0;             // in what is shown, see mend
    int64_t size = 0;           // of the file
    int64_t pretended_end = 0;  // what a seek to the end reports, if not 0
    HeaderMend mend = {};
    int error = 0;
    // Decoders ask for a few bytes at a time, MP3's for every frame's header on the way to a place.
    std::vector<char> ahead;  // the file's bytes from ahead_at on
    int64_t ahead_at = 0;
    int64_t ahead_size = 0;

    int64_t ShownSize() const { return (mend.end >= 0 ? mend.end : size) + mend.growth(); }
  };
  static int64_t FetchShown(Io& io, char* out, int64_t count);
  static int64_t FetchBytes(Io& io, int64_t at, char* out, int64_t count);
  static sf_count_t IoLength(void* user);
  static sf_count_t IoSeek(sf_count_t offset, int whence, void* user);
  static sf_count_t IoRead(void* out, sf_count_t count, void* user);
  static sf_count_t IoWrite(const void* in, sf_count_t count, void* user);
  static sf_count_t IoTell(void* user);

  Io io_;
  // A file that is opened again unchanged is not looked at again.
  FileIdentity identity_;
  FileIdentity mend_of_;
  HeaderMend mend_;
  SF_INFO info_{};  // frames: as the decoder says; SF_COUNT_MAX if unknown
  std::unique_ptr<SNDFILE, Closer> decoder_;  // after io_: closing may still call back
  PcmKind pcm_ = PcmKind::kOther;             // kOther: libsndfile makes floats of the samples
  std::vector<float> interleaved_;
  std::vector<std::byte> raw_;
  bool damaged_ = false;
  bool guessed_ = false;   // LiftGuessedLength
  bool at_start_ = false;  // nothing was read or sought since the decoder started
};

}  // namespace consort
