#include "worker/read/segment_reader.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "shared/record/streams.h"
#include "worker/read/pcm.h"

namespace consort {
namespace {

// Measured with white noise over 13 pairs of rates (100 Hz to 768 kHz): with 64 samples at the
// lower rate a segment differs from the whole file's resampling by up to 1e-4, with 96 and any
// number above by what float arithmetic gives, 3e-7. Twice that.
constexpr int64_t kFilterReach = 192;

constexpr int64_t kBlockNs = 30'000'000'000;
// What all channels of one place, heard one by one, may take in memory.
constexpr int64_t kMostPlaceBytes = int64_t{1} << 30;
// Segments of a channel that are decoded from one place, at most; those of all channels are below
// kOnePassAlignment.
constexpr int64_t kMostAnchored = (kOnePassAlignment - 1) / kMaxStreams;

__extension__ using Wide = __int128;

// round(sample * to / from), half up; the same rule as soxr's for the length of its output.
int64_t Rescale(int64_t sample, int64_t to, int64_t from) {
  return static_cast<int64_t>((static_cast<Wide>(sample) * to * 2 + from) / (Wide{2} * from));
}

int64_t CeilRescale(int64_t sample, int64_t to, int64_t from) {
  return static_cast<int64_t>((static_cast<Wide>(sample) * to + from - 1) / from);
}

}  // namespace

SegmentReader::SegmentReader(const AudioSpec& spec, StageClock& clock)
    : spec_(spec),
      segment_samples_(spec.SegmentSamples()),
      clock_(clock),
      source_(&clock, spec.channels),
      grid_(spec.segment_ns, spec.hop_ns, spec.sample_rate) {}

MaybeFault SegmentReader::Open(const std::string& path) {
  clock_.Enter(Stage::kValidate);
  info_ = {};
  finite_place_ = -1;
  MaybeFault fault = source_.Open(path);
  if (!fault && source_.streams() > 1) fault = CheckStreams();
  if (!fault && source_.rate() != spec_.sample_rate &&
      !resampler_.Prepare(source_.rate(), spec_.sample_rate)) {
    fault =
        Fault(ErrorCode::kUnsupported, "cannot resample from " + std::to_string(source_.rate()) +
                                           " Hz to " + std::to_string(spec_.sample_rate) + " Hz");
  }
  if (fault) {
    Close();
    return fault;
  }
  const int64_t streams = source_.streams();
  grid_ = SegmentGrid(spec_.segment_ns, spec_.hop_ns, source_.rate(), streams);
  info_.samples = source_.samples();
  info_.sample_rate = source_.rate();
  info_.size_bytes = source_.identity().size_bytes;
  info_.mtime_ns = source_.identity().mtime_ns;
  const Decoder& decoder = source_.decoder();
  info_.channels = std::clamp(decoder.channels(), 0, kMaxChannels);
  info_.container = decoder.container_name();
  if (decoder.header_unfinished()) info_.flags |= kHeaderUnfinished;
  switch (source_.seeking()) {
    case Seeking::kExact:
      info_.segment_alignment = static_cast<uint32_t>(streams);  // what is decoded is for all
      break;
    case Seeking::kAnchored: {
      const int64_t places = std::clamp<int64_t>(kBlockNs / spec_.hop_ns, 1, kMostAnchored);
      info_.segment_alignment = static_cast<uint32_t>(places * streams);
      break;
    }
    case Seeking::kOnePass:
      info_.segment_alignment = kOnePassAlignment;
      break;
  }
  return std::nullopt;
}

MaybeFault SegmentReader::CheckStreams() const {
  const int64_t streams = source_.streams();
  if (streams > kMaxStreams) {
    return Fault(ErrorCode::kUnsupported, TooManyStreams(streams));
  }
  const int64_t place = std::min(source_.samples(), RoundSamples(spec_.segment_ns, source_.rate()));
  if (place > kMostPlaceBytes / static_cast<int64_t>(sizeof(float)) / streams) {
    return Fault(ErrorCode::kUnsupported,
                 "a segment of all " + std::to_string(streams) +
                     " channels, heard one by one, takes more than a gigabyte");
  }
  return std::nullopt;
}

MaybeFault SegmentReader::CheckEnd() {
  clock_.Enter(Stage::kRead);
  return source_.CheckEnd();
}

void SegmentReader::Close() { source_.Close(); }

SegmentReader::Range SegmentReader::NeededRange(int64_t k) const {
  const int64_t samples = info_.samples;
  const int64_t from = info_.sample_rate;
  const int64_t to = spec_.sample_rate;
  const int64_t start = grid_.Start(k);
  if (start >= samples) return {samples, samples, 0, 0};  // hops longer than segments: silence
  if (from == to) {
    const int64_t end = std::min(start + segment_samples_, samples);
    return {start, end, 0, end - start};
  }
  const int64_t context = CeilRescale(kFilterReach, std::max(from, to), to);
  const int64_t grid = from / std::gcd(from, to);
  const int64_t begin = std::max<int64_t>(0, start - context) / grid * grid;
  const int64_t first = Rescale(start, to, from);  // in the whole file's output
  const int64_t last = std::min(first + segment_samples_, Rescale(samples, to, from));
  const int64_t end = std::min(samples, CeilRescale(last, from, to) + context);
  return {begin, std::max(end, begin + 1), first - begin / grid * (to / std::gcd(from, to)),
          std::max<int64_t>(0, last - first)};
}

// Of what was loaded for the segments at `place`, from source sample `begin` on.
MaybeFault SegmentReader::CheckFinite(int64_t place, int64_t begin) {
  if (place == finite_place_) return std::nullopt;
  const auto frames = source_.LoadedFrames();
  if (!AllFinite(frames)) {
    const auto bad = std::ranges::find_if_not(frames, [](float it) { return std::isfinite(it); });
    return Fault(ErrorCode::kNotFinite, "a sample is infinite or not a number",
                 begin + (bad - frames.begin()) / source_.streams());
  }
  finite_place_ = place;
  return std::nullopt;
}

MaybeFault SegmentReader::ReadSegment(int64_t k, std::span<float> out) {
  clock_.Enter(Stage::kRead);
  const Range range = NeededRange(k);
  if (range.valid == 0) {
    std::fill(out.begin(), out.end(), 0.0f);
    return std::nullopt;
  }
  const int64_t first = k - k % static_cast<int64_t>(info_.segment_alignment);
  const int64_t anchor = first == k ? range.begin : NeededRange(first).begin;
  source_.Forget(range.begin);
  std::span<const float> heard;
  if (auto fault = source_.Load(anchor, range.begin, range.end, grid_.Channel(k), heard)) {
    return fault;
  }
  if (auto fault = CheckFinite(grid_.Place(k), range.begin)) return fault;
  const auto valid = out.first(static_cast<size_t>(range.valid));
  if (info_.sample_rate == spec_.sample_rate) {
    std::copy(heard.begin(), heard.end(), valid.begin());
  } else {
    clock_.Enter(Stage::kResample);
    const int64_t given = resampler_.Run(heard, range.skip, valid);
    if (given < 0) return Fault(ErrorCode::kDecode, "could not resample", range.begin);
    std::fill(valid.begin() + given, valid.end(), 0.0f);
  }
  std::fill(out.begin() + range.valid, out.end(), 0.0f);
  return std::nullopt;
}

}  // namespace consort
