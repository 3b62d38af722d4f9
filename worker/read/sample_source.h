// Any range of a file's samples, of one channel (the mean of all, the first, or the one that is
// asked for), the same whatever was asked before. Where channels are heard one by one a range is
// decoded once for all of them.
//
// Note [Anchors]
// Where every sample can be had by itself (PCM, FLAC), a range is read by seeking, or by going on
// from the last one. Other codecs carry state from what came before, so what a decoder gives right
// after a seek may differ in the last bits, or more, from what it gives when it came that way.
// There a caller names an anchor with each range: a fresh decoder is started, seeks to one second
// before the anchor, decodes up to it unheard, and goes on from there. Samples then depend on the
// file, the anchor and their place alone. Where no run-up is long enough the anchor is the file's
// beginning, and the decoder keeps standing where it is when the file is closed: an engine that
// goes on with the same file later does not decode again what lies behind.
//
// Note [Where the content ends]
// samples() is what the header promises. When a read comes short or meets damage, the content's end
// F is found by decoding the file once from its beginning in steps of fixed size: F is then a
// property of the file. A range below F is then read by decoding from the beginning; any other has
// the fault, whose words and place depend on F alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shared/base/unique_fd.h"
#include "worker/read/decoder.h"
#include "worker/read/ffmpeg_decoder.h"
#include "worker/read/read_fault.h"
#include "worker/read/regular_file.h"
#include "worker/read/sndfile_decoder.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class SampleSource {
 public:
  // `clock`, if any, is told of each step on a long way, in the file's bytes or in its samples, and
  // must outlive this.
  explicit SampleSource(StageClock* clock = nullptr,
                        AudioSpec::Channels heard = AudioSpec::Channels::kMix)
      : sndfile_(clock, heard), ffmpeg_(clock, heard) {}

  MaybeFault Open(const std::string& path);
  // Of a file that is read in one pass, the decoder stays for the next Open.
  void Close();

  int64_t samples() const { return samples_; }
  // Channels that can be asked for: 1, or as many as the file has.
  int64_t streams() const { return width_; }
  int32_t rate() const { return decoder_->rate(); }
  const Decoder& decoder() const { return *decoder_; }
  Seeking seeking() const { return decoder_->seeking(); }
  const FileIdentity& identity() const { return identity_; }

  // Samples [begin, end), 0 <= begin < end <= samples(), anchor <= begin, of channel `channel` <
  // streams(). `out` points into this object until the next call. A fault is that of all channels.
  MaybeFault Load(int64_t anchor, int64_t begin, int64_t end, int64_t channel,
                  std::span<const float>& out);
  // The frames that Load has just given a channel of, with all their channels, interleaved.
  std::span<const float> LoadedFrames() const { return loaded_; }
  // What can be told of the content's end without decoding it all: what its length was found by,
  // and, where a place can be sought, whether the last sample is there. To be closed after a fault.
  MaybeFault CheckEnd();
  // Samples below `before` will not be asked for next; invalidates what Load gave.
  void Forget(int64_t before);

 private:
  MaybeFault OpenOrStay(const std::string& path);
  void Release();
  // Finds the length, too.
  MaybeFault ChooseDecoder();
  MaybeFault CheckHeader();
  bool needs_anchors() const { return seeking() != Seeking::kExact; }
  const ContentEnd& FindEnd();
  bool StartAt(int64_t anchor, int64_t begin);
  bool SkipTo(int64_t begin);
  bool Extend(int64_t end);
  void Hand(int64_t begin, int64_t end, int64_t channel, std::span<const float>& out);

  UniqueFd fd_;
  SndfileDecoder sndfile_;
  FfmpegDecoder ffmpeg_;
  Decoder* decoder_ = nullptr;   // one of these, on fd_
  FileIdentity identity_;        // of the file that is open, or was open last
  int64_t samples_ = 0;          // kept for a file that is opened again unchanged
  Decoder* reads_it_ = nullptr;  // likewise
  std::optional<ContentEnd> end_;

  int64_t WindowEnd() const { return window_begin_ + window_size_; }
  // Room for `more` frames at the window's end. Their content is old.
  std::span<float> Grow(int64_t more);
  // Frames [begin, end) of the window.
  std::span<const float> Frames(int64_t begin, int64_t end) const;

  int64_t width_ = 1;  // floats of a frame of the file that is open
  // Decoded frames [window_begin_, window_begin_ + window_size_); the decoder stands at its end.
  // The memory behind only grows, up to what is worth keeping: what is about to be overwritten need
  // not be filled with zeros.
  std::vector<float> window_;
  std::span<const float> loaded_;  // in it
  std::vector<float> channel_;     // one channel of loaded_, where there are several
  int64_t window_begin_ = 0;
  int64_t window_size_ = 0;
  int64_t window_anchor_ = -1;  // -1: the decoder stands nowhere in particular
  // The window has been got from the file's beginning, since no other way was good; for this.
  struct Wanted {
    int64_t anchor, begin, end;
    bool operator==(const Wanted&) const = default;
  };
  std::optional<Wanted> fallback_;
};

}  // namespace consort
