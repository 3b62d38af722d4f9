#include "worker/read/sample_source.h"

#include <algorithm>
#include <array>

#include "worker/read/ogg_pages.h"
#include "worker/read/promised_length.h"

namespace consort {
namespace {

constexpr int64_t kStep = 4096;  // of the decode that looks for the content's end
// Some MP3 encoders count one frame too many, or a frame of padding: a content that ends this close
// to the promise is whole.
constexpr int64_t kMp3Slack = 2 * 1152;
// No codec here makes more samples of a byte; bounds the search for an end.
constexpr int64_t kMaxSamplesPerByte = 64;
// Of a header's promise: 2^40 samples are 265 days at 48 kHz.
constexpr int64_t kMaxSamples = int64_t{1} << 40;

constexpr char kDamagedWords[] = "the content is damaged";

constexpr int32_t kMinRate = 100;
constexpr int32_t kMaxRate = 1'000'000;

}  // namespace

MaybeFault SampleSource::Open(const std::string& path) {
  Close();
  UniqueFd fd;
  FileIdentity identity;
  if (auto fault = OpenRegularFile(path, fd, identity)) return fault;
  const bool known = identity == identity_ && samples_ > 0;
  if (!known) {
    identity_ = identity;
    samples_ = 0;
    end_.reset();
  }
  if (auto fault = file_.Open(std::move(fd))) return fault;
  if (auto fault = CheckHeader()) return fault;
  const bool guessed = file_.LiftGuessedLength();
  if (!known) FindLength(guessed);
  if (samples_ <= 0) return Fault(ErrorCode::kEmpty, "the file has no samples");
  if (samples_ > kMaxSamples) {
    return Fault(ErrorCode::kUnsupported,
                 "the header claims " + std::to_string(samples_) + " samples, more than 2^40");
  }
  return std::nullopt;
}

void SampleSource::Close() {
  file_.Close();
  window_anchor_ = -1;
}

MaybeFault SampleSource::CheckHeader() {
  if (file_.rate() < kMinRate || file_.rate() > kMaxRate) {
    return Fault(ErrorCode::kUnsupported, "a sample rate of " + std::to_string(file_.rate()) +
                                              " Hz is outside 100 Hz to 1 MHz");
  }
  return std::nullopt;
}

void SampleSource::FindLength(bool guessed) {
  const int64_t frames = file_.frames();
  samples_ = frames;
  if (file_.plain_pcm()) {
    samples_ = std::max(frames, PromisedFrames(file_.fd(), identity_.size_bytes).value_or(0));
  } else if (guessed) {
    samples_ = FirstUnreadable(0, identity_.size_bytes * kMaxSamplesPerByte);
  } else if (file_.container() == SF_FORMAT_MPEG) {
    const int64_t near_end = std::max<int64_t>(0, frames - kMp3Slack);
    if (!CanRead(frames - 1) && (near_end == 0 || CanRead(near_end - 1))) {
      samples_ = FirstUnreadable(near_end, frames - 1);
    }
  } else if (file_.container() == SF_FORMAT_OGG) {
    FindOggLength();
  } else if (frames == SF_COUNT_MAX) {  // a FLAC that was written to a pipe
    const End& end = FindEnd();
    samples_ = end.sample + (file_.damaged() ? 1 : 0);  // damaged: more was to come
  } else {
    samples_ = std::max(frames, PromisedFrames(file_.fd(), identity_.size_bytes).value_or(0));
  }
}

void SampleSource::FindOggLength() {
  const OggWalk walk = WalkOggPages(file_.fd(), identity_.size_bytes, clock_);
  if (walk.outcome == OggWalk::Outcome::kDamaged) {
    const int64_t unheard = file_.codec() == SF_FORMAT_OPUS ? OpusPreSkip(file_.fd()) : 0;
    const int64_t good = std::clamp<int64_t>(walk.position - unheard, 0, samples_ - 1);
    end_ = End{good, ErrorCode::kDecode, kDamagedWords};
    return;
  }
  // The length is that of the last page; what can be decoded may be less.
  if (!CanRead(samples_ - 1)) samples_ = FindEnd().sample;
  if (walk.outcome == OggWalk::Outcome::kCut) {
    end_ = End{samples_, ErrorCode::kTruncated, "the stream ends without its last page"};
    ++samples_;  // at least one more was to come
  }
}

bool SampleSource::CanRead(int64_t sample) {
  window_anchor_ = -1;
  float ignored = 0;
  return sample >= 0 && file_.Seek(sample) && Read({&ignored, 1}) == 1 && !file_.damaged();
}

// The first sample in [low, high] that cannot be read, where all below `low` can and `high` cannot.
int64_t SampleSource::FirstUnreadable(int64_t low, int64_t high) {
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

const SampleSource::End& SampleSource::FindEnd() {
  if (end_) return *end_;
  End end{0, ErrorCode::kTruncated, "the content ends before the header says"};
  window_anchor_ = -1;
  if (file_.plain_pcm() && file_.frames() < samples_ &&
      (file_.frames() == 0 || CanRead(file_.frames() - 1))) {
    end.sample = file_.frames();
    return end_.emplace(std::move(end));
  }
  std::array<float, kStep> heard;
  file_.Restart();
  int64_t got = 0;
  while ((got = Read(heard)) == kStep && !file_.damaged()) end.sample += kStep;
  if (file_.damaged()) {
    // Again up to this step, then by single samples: the call that meets the damage reports it.
    file_.Restart();
    for (int64_t at = 0; at < end.sample; at += kStep) Read(heard);
    while (Read({heard.data(), 1}) == 1 && !file_.damaged()) ++end.sample;
  } else {
    end.sample += got;
  }
  if (file_.io_errno() != 0) {
    end.code = ErrorCode::kIo;
    end.message = "could not read: " + ErrnoWords(file_.io_errno());
  } else if (file_.damaged() && !file_.at_end_of_bytes()) {
    end.code = ErrorCode::kDecode;
    end.message = kDamagedWords;
  }
  return end_.emplace(std::move(end));
}

std::span<float> SampleSource::Grow(int64_t more) {
  const auto have = static_cast<size_t>(window_size_);
  window_size_ += more;
  if (window_.size() < static_cast<size_t>(window_size_)) {
    window_.resize(static_cast<size_t>(window_size_));
  }
  return std::span(window_).subspan(have, static_cast<size_t>(more));
}

// Leaves an empty window at `begin`, reached as the note on anchors says.
bool SampleSource::StartAt(int64_t anchor, int64_t begin) {
  window_size_ = 0;
  window_anchor_ = -1;
  int64_t from = begin;
  if (needs_anchors()) {
    if (!file_.Restart()) return false;
    from = std::max<int64_t>(0, anchor - file_.preroll_seconds() * file_.rate());
  }
  // A decoder just started stands at 0, and need not be one that can seek.
  if ((from > 0 || !needs_anchors()) && !file_.Seek(from)) return false;
  window_begin_ = from;
  if (!SkipTo(begin)) return false;
  window_anchor_ = anchor;
  return true;
}

// Decodes up to `begin` unheard; the window becomes empty and begins there.
bool SampleSource::SkipTo(int64_t begin) {
  int64_t at = WindowEnd();
  while (at < begin) {
    window_size_ = 0;
    const int64_t wanted = std::min(begin - at, 4 * kStep);
    if (Read(Grow(wanted)) != wanted || file_.damaged()) return false;
    at += wanted;
  }
  window_size_ = 0;
  window_begin_ = begin;
  return true;
}

bool SampleSource::Extend(int64_t end) {
  const int64_t more = end - WindowEnd();
  if (more <= 0) return true;
  if (Read(Grow(more)) == more && !file_.damaged()) return true;
  window_anchor_ = -1;
  return false;
}

MaybeFault SampleSource::Load(int64_t anchor, int64_t begin, int64_t end,
                              std::span<const float>& out) {
  if (end_ && end > end_->sample) return Fault(end_->code, end_->message, end_->sample);
  const int64_t window_end = WindowEnd();
  bool good = true;
  if (window_anchor_ < 0 || begin < window_begin_ ||
      (needs_anchors() ? anchor != window_anchor_ : begin > window_end)) {
    good = StartAt(anchor, begin);
  } else if (begin > window_end) {
    good = SkipTo(begin);
  }
  if (good) good = Extend(end);
  if (!good) {
    window_anchor_ = -1;
    const End& last = FindEnd();
    if (end > last.sample) return Fault(last.code, last.message, last.sample);
    window_size_ = 0;
    window_begin_ = 0;
    if (!file_.Restart() || !SkipTo(begin) || !Extend(end)) {
      window_anchor_ = -1;
      return Fault(ErrorCode::kDecode, kDamagedWords, last.sample);
    }
    window_anchor_ = -1;
  }
  out = std::span<const float>(window_).subspan(static_cast<size_t>(begin - window_begin_),
                                                static_cast<size_t>(end - begin));
  return std::nullopt;
}

void SampleSource::Forget(int64_t before) {
  if (window_anchor_ < 0) return;
  const int64_t drop = std::min(before - window_begin_, window_size_);
  if (drop <= 0) return;
  std::copy(window_.begin() + drop, window_.begin() + window_size_, window_.begin());
  window_begin_ += drop;
  window_size_ -= drop;
}

}  // namespace consort
