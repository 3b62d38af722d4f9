// How long a file is that libsndfile reads: where its header, or libsndfile, is not to be believed.
#include <algorithm>

#include "worker/read/ogg_pages.h"
#include "worker/read/promised_length.h"
#include "worker/read/sndfile_decoder.h"

namespace consort {
namespace {

// Some MP3 encoders count one frame too many, or a frame of padding: a content that ends this close
// to the promise is whole.
constexpr int64_t kMp3Slack = 2 * 1152;
// No codec here makes more samples of a byte; bounds the search for an end.
constexpr int64_t kMaxSamplesPerByte = 64;

// Decoding stopped for no reason that lies in the file: nobody knows what was to come.
bool StoppedEarly(const ContentEnd& end) {
  return end.code == ErrorCode::kIo || end.code == ErrorCode::kUnreadable;
}

}  // namespace

ContentLength SndfileDecoder::FindLength() {
  const int64_t frames = info_.frames;
  if (plain_pcm()) return FindPcmLength();
  if (guessed_) return {.samples = FirstUnreadable(0, io_.size * kMaxSamplesPerByte)};
  if (container() == SF_FORMAT_MPEG) {
    const int64_t near_end = std::max<int64_t>(0, frames - kMp3Slack);
    if (!CanRead(frames - 1) && (near_end == 0 || CanRead(near_end - 1))) {
      return {.samples = FirstUnreadable(near_end, frames - 1)};
    }
    return {.samples = frames};
  }
  if (container() == SF_FORMAT_OGG) return FindOggLength();
  if (frames == SF_COUNT_MAX) {  // a FLAC that was written to a pipe
    ContentEnd end = DecodeToEnd(*this);
    const bool more = damaged() || StoppedEarly(end);
    const int64_t samples = end.sample + (more ? 1 : 0);
    return {.samples = samples, .end = std::move(end)};
  }
  return {.samples = std::max(frames, PromisedFrames(io_.fd, io_.size).value_or(0))};
}

ContentLength SndfileDecoder::FindPcmLength() {
  const int64_t frames = info_.frames;
  ContentLength length{.samples = std::max(frames, PromisedFrames(io_.fd, io_.size).value_or(0))};
  if (frames < length.samples && (frames == 0 || CanRead(frames - 1))) {
    length.end = ContentEnd{frames, ErrorCode::kTruncated, kCutWords};
  }
  return length;
}

ContentLength SndfileDecoder::FindOggLength() {
  ContentLength length{.samples = info_.frames};
  const OggWalk walk = WalkOggPages(io_.fd, io_.size, io_.clock);
  length.goes_on = walk.chained;
  if (walk.outcome == OggWalk::Outcome::kDamaged) {
    const int64_t unheard = codec() == SF_FORMAT_OPUS ? OpusPreSkip(io_.fd) : 0;
    const int64_t good = std::clamp<int64_t>(walk.position - unheard, 0, length.samples - 1);
    length.end = ContentEnd{good, ErrorCode::kDecode, kDamagedWords};
    return length;
  }
  // The length is that of the last page; what can be decoded may be less.
  if (!CanRead(length.samples - 1)) {
    length.end = DecodeToEnd(*this);
    length.samples = length.end->sample;
    if (StoppedEarly(*length.end)) {
      ++length.samples;
      return length;
    }
  }
  if (walk.outcome == OggWalk::Outcome::kCut) {
    length.end =
        ContentEnd{length.samples, ErrorCode::kTruncated, "the stream ends without its last page"};
    ++length.samples;  // at least one more was to come
  }
  return length;
}

bool SndfileDecoder::CanRead(int64_t frame) {
  std::vector<float> ignored(static_cast<size_t>(width()));
  return frame >= 0 && Seek(frame) && Read(ignored) == 1 && !damaged();
}

// The first frame in [low, high] that cannot be read, where all below `low` can and `high` cannot.
int64_t SndfileDecoder::FirstUnreadable(int64_t low, int64_t high) {
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (CanRead(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace consort
