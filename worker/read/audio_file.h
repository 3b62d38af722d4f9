// libsndfile, wrapped once: a file of sound, decoded to one channel.
//
// Works on a descriptor through read(2) only; writes, maps and prints nothing. A frame is one
// sample of every channel. One thread at a time; the decoder keeps a pointer to this object, so it
// does not move. After a failure the object may be closed, restarted or destroyed.
#pragma once

#include <sndfile.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/base/unique_fd.h"
#include "worker/read/pcm.h"
#include "worker/read/read_fault.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class AudioFile {
 public:
  // `clock`, if any, is told of each read(2), and must outlive this.
  explicit AudioFile(StageClock* clock = nullptr) { io_.clock = clock; }
  AudioFile(const AudioFile&) = delete;
  AudioFile& operator=(const AudioFile&) = delete;

  // Starts a decoder on `fd`; headerless formats are never guessed.
  MaybeFault Open(UniqueFd fd);
  // A fresh decoder on the same descriptor, at frame 0. True when it worked; it did before.
  bool Restart();
  void Close();

  int64_t frames() const { return info_.frames; }  // as the decoder says; SF_COUNT_MAX if unknown
  int32_t rate() const { return info_.samplerate; }
  int32_t channels() const { return info_.channels; }
  int container() const { return info_.format & SF_FORMAT_TYPEMASK; }
  int codec() const { return info_.format & SF_FORMAT_SUBMASK; }
  int fd() const { return fd_.get(); }

  // Any sample can be had by itself: PCM, float, companded, FLAC, ALAC. Other codecs carry state
  // from what came before.
  bool exact_seek() const;
  // How long a decoder with state must run after a seek until it gives what it gives without one.
  int32_t preroll_seconds() const;
  // Samples lie in the file as they are: their end is known from sizes alone.
  bool plain_pcm() const;
  // The decoder only guesses the length, from the size (MP3 without a Xing or Info header). From
  // then on frames() is beyond any real end, and reads go on to the content's end.
  bool LiftGuessedLength();

  // Costs nothing where a decoder just started stands: FLAC's would decode a block for it.
  bool Seek(int64_t frame);
  // Decodes out.size() frames and writes the mean of their channels, summed in double. Returns
  // frames written: fewer at the end of what is there. damaged() tells whether the decoder met
  // damage in this call (what it returned is then not to be trusted).
  int64_t Read(std::span<float> out);
  bool damaged() const { return damaged_; }
  // The decoder has fetched the file's last byte.
  bool at_end_of_bytes() const { return io_.at >= io_.size; }
  int io_errno() const { return io_.error; }  // of a failed read(2) since the start, or 0

 private:
  bool OpenDecoder();
  PcmKind FindPcmKind();
  int64_t ReadPcm(std::span<float> out);
  int64_t ReadFloats(std::span<float> out);
  struct Closer {
    void operator()(SNDFILE* file) const { sf_close(file); }
  };
  // What the callbacks see.
  struct Io {
    StageClock* clock = nullptr;
    int fd = -1;
    int64_t at = 0;
    int64_t size = 0;
    int64_t pretended_end = 0;       // what a seek to the end reports, if not 0
    int64_t pretended_size_at = -1;  // four bytes there are read as 0xFF, if not -1
    int error = 0;
    // Decoders ask for a few bytes at a time, MP3's for every frame's header on the way to a place.
    std::vector<char> ahead;  // the file's bytes from ahead_at on
    int64_t ahead_at = 0;
    int64_t ahead_size = 0;
  };
  static int64_t FetchBytes(Io& io, char* out, int64_t count);
  static sf_count_t IoLength(void* user);
  static sf_count_t IoSeek(sf_count_t offset, int whence, void* user);
  static sf_count_t IoRead(void* out, sf_count_t count, void* user);
  static sf_count_t IoWrite(const void* in, sf_count_t count, void* user);
  static sf_count_t IoTell(void* user);

  UniqueFd fd_;
  Io io_;
  SF_INFO info_{};
  std::unique_ptr<SNDFILE, Closer> decoder_;  // after io_: closing may still call back
  PcmKind pcm_ = PcmKind::kOther;             // kOther: libsndfile makes floats of the samples
  std::vector<float> interleaved_;
  std::vector<std::byte> raw_;
  bool damaged_ = false;
  bool at_start_ = false;  // nothing was read or sought since the decoder started
};

}  // namespace consort
