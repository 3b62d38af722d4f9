// What a library that reads sound is to us: a file's samples, mixed to one channel or with all of
// them. One library, one file: sndfile_decoder.h, ffmpeg_decoder.h.
//
// A decoder works on a descriptor that others own, by pread(2) alone; it writes, maps and prints
// nothing. A frame is one sample of every channel. One thread at a time. Decoders call back to
// themselves, so they do not move. After a failure one may be closed, restarted or destroyed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "shared/bundle/manifest.h"
#include "worker/read/read_fault.h"

namespace consort {

inline constexpr char kDamagedWords[] = "the content is damaged";
inline constexpr char kCutWords[] = "the content ends before the header says";
// Of a kind whose header says nothing of its length, or that has none.
inline constexpr char kCutFrameWords[] = "the content ends within a frame";

// How a decoder comes to a place in a file.
enum class Seeking {
  kExact,     // any sample can be had by itself: Seek, then Read
  kAnchored,  // it carries state from what came before: sample_source.h, Note [Anchors]
  kOnePass,   // likewise, and no run-up is long enough: only from the beginning
};

struct Opening {
  MaybeFault fault;
  bool others_may_know = false;  // it is of no kind that this library knows
};

// Where the content ends before it should, and why.
struct ContentEnd {
  int64_t sample;
  ErrorCode code;
  std::string message;
};

struct ContentLength {
  int64_t samples = 0;  // as the file promises: there may be fewer, which reading shows
  std::optional<ContentEnd> end = std::nullopt;
  bool goes_on = false;  // there is more in the file than this library reads
};

class Decoder {
 public:
  explicit Decoder(AudioSpec::Channels heard) : heard_(heard) {}
  virtual ~Decoder() = default;

  // Starts a decoder on `fd`, which must stay open until Close; headerless formats are never
  // guessed.
  virtual Opening Open(int fd) = 0;
  virtual void Close() = 0;
  // A fresh decoder on the same descriptor, at frame 0. True when it worked; it did before.
  virtual bool Restart() = 0;
  // Right after Open. May go through the whole file; leaves the decoder anywhere. Needed before
  // Seek, once for a file that is opened again unchanged with no other in between.
  virtual ContentLength FindLength() = 0;

  virtual int32_t rate() const = 0;
  virtual int32_t channels() const = 0;
  // "wav", "mp4": small letters and digits.
  virtual std::string container_name() const = 0;
  // Its header says less than is there, or nothing: an interrupted recording. All is read.
  virtual bool header_unfinished() const { return false; }
  virtual Seeking seeking() const = 0;
  // kAnchored: how long a decoder must run after a seek until it gives what it gives without one.
  virtual int32_t preroll_seconds() const = 0;

  // Floats that Read gives of a frame: 1, or one for each channel, in order.
  int64_t width() const {
    return heard_ == AudioSpec::Channels::kEach ? std::max<int64_t>(1, channels()) : 1;
  }
  virtual bool Seek(int64_t frame) = 0;
  // Decodes out.size() / width() frames and writes of each the mean of its channels, summed in
  // double, or the first one, or all, as was asked for. Returns frames written: fewer at the end of
  // what is there. damaged() tells whether the decoder met damage in this call (what it returned is
  // then not to be trusted).
  virtual int64_t Read(std::span<float> out) = 0;
  virtual bool damaged() const = 0;
  // The decoder has fetched the file's last byte.
  virtual bool at_end_of_bytes() const = 0;
  virtual int io_errno() const = 0;  // of a failed read since the start, or 0
  // What to say where the content was found to end within something.
  virtual const char* cut_words() const { return kCutWords; }

 protected:
  AudioSpec::Channels heard() const { return heard_; }

 private:
  AudioSpec::Channels heard_;
};

// Decodes the whole content from its beginning, in steps of fixed size: a property of the file.
ContentEnd DecodeToEnd(Decoder& decoder);

}  // namespace consort
