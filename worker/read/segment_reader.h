// One segment of one file at a time, as the model hears it: validate, read, mix, resample.
//
// One object per engine thread, reusable for any number of files; a file is open only between Open
// and Close (or the next Open). Never writes, prints or maps. Buffers are kept from segment to
// segment.
//
// What segment k is: source samples are the file's frames, the mean of their channels or the first
// of them, as the model wants; or those of one channel, where it hears each by itself and segments
// are numbered through all channels (SegmentGrid). With
// S = SegmentGrid::Start(k), N samples in the file, r Hz in the file and R Hz in the model:
//   r == R  samples [S, S + L), copied exactly.
//   r != R  the file from A on, resampled with soxr HQ; A is the last multiple of r/gcd(r, R) that
//           is at least C samples before S, or 0. So the output's grid is that of the whole file,
//           and the segment starts at its sample round(S * R / r): S itself when that is whole,
//           else the nearest. C = 192 samples at the lower rate; the filter reaches about 96.
// The file's end is followed by silence for the filter, and by exact zeros from sample
// round(N * R / r) of the output on.
//
// A segment is good if every source sample it needs, context included and clipped to [0, N), can be
// decoded and is finite, in all channels that are heard. N is what the header promises where that
// is known.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "shared/bundle/manifest.h"
#include "shared/record/result.h"
#include "shared/segment/segment.h"
#include "worker/read/read_fault.h"
#include "worker/read/resampler.h"
#include "worker/read/sample_source.h"
#include "worker/stage/stage_clock.h"

namespace consort {

class SegmentReader {
 public:
  // `clock` must outlive the reader. Open enters kValidate; ReadSegment kRead, then kResample where
  // there is something to resample. Each leaves the last stage entered.
  SegmentReader(const AudioSpec& spec, StageClock& clock);

  // Opens and validates. On success info() is valid until the next Open. On a fault nothing is
  // open. Faults here: not_found, not_a_file, unreadable, empty, not_audio, unsupported, decode
  // (a header beyond repair), io.
  // With channels heard one by one, more than kMaxStreams of them are unsupported, and segments
  // of all of them that take more than a gigabyte.
  MaybeFault Open(const std::string& path);
  void Close();

  // FileInfo::file is 0. segment_alignment: how many segments of a codec with memory are decoded
  // from one place (about 30 s of sound), or kOnePassAlignment; elsewhere those of one place.
  const FileInfo& info() const { return info_; }
  int64_t segment_count() const { return grid_.Count(info_.samples); }
  const SegmentGrid& grid() const { return grid_; }

  // Whether the content ends where its header says, as far as that shows without decoding it all.
  // The fault is the one that ReadSegment would give of it.
  MaybeFault CheckEnd();

  // Segment k, 0 <= k < segment_count(), in any order: spec.SegmentSamples() floats, always all
  // written on success. Faults: truncated and decode, at the first sample that is not there;
  // not_finite, at the first such sample the segment needs; io. A fault depends on the file and k
  // alone, its place and words (but for not_finite) on the file alone. The reader stays usable.
  MaybeFault ReadSegment(int64_t k, std::span<float> out);

 private:
  struct Range {
    int64_t begin;  // source samples
    int64_t end;
    int64_t skip;   // samples of the output before the segment
    int64_t valid;  // samples of the output in the segment; zeros follow
  };
  Range NeededRange(int64_t k) const;
  MaybeFault CheckFinite(int64_t place, int64_t begin);
  // Whether they can be heard one by one.
  MaybeFault CheckStreams() const;

  AudioSpec spec_;
  int64_t segment_samples_;
  StageClock& clock_;
  SampleSource source_;
  Resampler resampler_;
  SegmentGrid grid_;
  FileInfo info_;
  // The place whose frames, of all channels, were found to be finite last; -1: none.
  int64_t finite_place_ = -1;
};

}  // namespace consort
