#include "worker/read/sample_source.h"

#include <algorithm>

namespace consort {
namespace {

constexpr int64_t kSkipStep = 16 * 1024;  // floats decoded at once on the way to a place
// Of a header's promise: 2^40 samples are 265 days at 48 kHz.
constexpr int64_t kMaxSamples = int64_t{1} << 40;

// Memory of one file that is kept for the next.
constexpr size_t kKeptBytes = size_t{64} << 20;

constexpr int32_t kMinRate = 100;
constexpr int32_t kMaxRate = 1'000'000;

void FreeIfLarge(std::vector<float>& memory) {
  if (memory.capacity() * sizeof(float) > kKeptBytes) std::vector<float>().swap(memory);
}

// A large one to this size and no more: it would double.
void GrowTo(std::vector<float>& memory, size_t size) {
  if (memory.size() >= size) return;
  if (size * sizeof(float) > kKeptBytes) memory.reserve(size);
  memory.resize(size);
}

}  // namespace

MaybeFault SampleSource::Open(const std::string& path) {
  MaybeFault fault = OpenOrStay(path);
  if (fault) Release();
  return fault;
}

MaybeFault SampleSource::OpenOrStay(const std::string& path) {
  UniqueFd fd;
  FileIdentity identity;
  if (auto fault = OpenRegularFile(path, fd, identity)) return fault;
  const bool known = identity == identity_ && samples_ > 0;
  if (known && decoder_ != nullptr) return std::nullopt;  // see Close
  Release();
  if (!known) {
    identity_ = identity;
    samples_ = 0;
    end_.reset();
  }
  fd_ = std::move(fd);
  if (known) {
    decoder_ = reads_it_;
    if (auto fault = decoder_->Open(fd_.get()).fault) return fault;
    if (decoder_->width() != width_) {
      return Fault(ErrorCode::kDecode, "it has another number of channels each time it is opened");
    }
  } else if (auto fault = ChooseDecoder()) {
    return fault;
  }
  if (samples_ <= 0) return Fault(ErrorCode::kEmpty, "the file has no samples");
  if (samples_ > kMaxSamples) {
    return Fault(ErrorCode::kUnsupported,
                 "the header claims " + std::to_string(samples_) + " samples, more than 2^40");
  }
  return std::nullopt;
}

// libsndfile first: what it knows it reads fast, and any place of it at once.
MaybeFault SampleSource::ChooseDecoder() {
  decoder_ = &sndfile_;
  const Opening first = sndfile_.Open(fd_.get());
  if (first.fault && first.others_may_know) {
    decoder_ = &ffmpeg_;
    const Opening second = ffmpeg_.Open(fd_.get());
    if (second.fault) return second.others_may_know ? first.fault : second.fault;
  } else if (first.fault) {
    return first.fault;
  }
  if (auto fault = CheckHeader()) return fault;
  ContentLength length = decoder_->FindLength();
  if (length.goes_on) {
    const Opening whole = ffmpeg_.Open(fd_.get());
    if (!whole.fault) {
      decoder_ = &ffmpeg_;
      if (auto fault = CheckHeader()) return fault;
      length = decoder_->FindLength();
    } else if (whole.fault->ours || whole.fault->code == ErrorCode::kIo) {
      return whole.fault;
    } else if (!length.end) {
      // Its end must not be lost without a word.
      length.end = ContentEnd{
          length.samples, ErrorCode::kUnsupported,
          "another stream follows in it, which FFmpeg would have to read: " + whole.fault->message};
      ++length.samples;
    }
  }
  if (length.samples == 0 && decoder_->io_errno() != 0) {  // it is not empty
    return Fault(ErrorCode::kIo, "could not read: " + ErrnoWords(decoder_->io_errno()));
  }
  samples_ = length.samples;
  width_ = decoder_->width();
  end_ = std::move(length.end);
  reads_it_ = decoder_;
  return std::nullopt;
}

void SampleSource::Close() {
  if (decoder_ != nullptr && samples_ > 0 && decoder_->seeking() == Seeking::kOnePass) return;
  Release();
}

void SampleSource::Release() {
  sndfile_.Close();
  ffmpeg_.Close();
  decoder_ = nullptr;
  fd_.Reset();
  window_anchor_ = -1;
  fallback_.reset();
  loaded_ = {};
  FreeIfLarge(window_);
  FreeIfLarge(channel_);
}

MaybeFault SampleSource::CheckHeader() {
  if (decoder_->rate() < kMinRate || decoder_->rate() > kMaxRate) {
    return Fault(ErrorCode::kUnsupported, "a sample rate of " + std::to_string(decoder_->rate()) +
                                              " Hz is outside 100 Hz to 1 MHz");
  }
  return std::nullopt;
}

const ContentEnd& SampleSource::FindEnd() {
  if (end_) return *end_;
  window_anchor_ = -1;
  return end_.emplace(DecodeToEnd(*decoder_));
}

std::span<float> SampleSource::Grow(int64_t more) {
  const auto have = static_cast<size_t>(window_size_ * width_);
  window_size_ += more;
  GrowTo(window_, static_cast<size_t>(window_size_ * width_));
  return std::span(window_).subspan(have, static_cast<size_t>(more * width_));
}

std::span<const float> SampleSource::Frames(int64_t begin, int64_t end) const {
  return std::span(window_).subspan(static_cast<size_t>((begin - window_begin_) * width_),
                                    static_cast<size_t>((end - begin) * width_));
}

// Leaves an empty window at `begin`, reached as the note on anchors says.
bool SampleSource::StartAt(int64_t anchor, int64_t begin) {
  window_size_ = 0;
  window_anchor_ = -1;
  int64_t from = begin;
  if (needs_anchors()) {
    if (!decoder_->Restart()) return false;
    from = std::max<int64_t>(0, anchor - decoder_->preroll_seconds() * decoder_->rate());
  }
  // A decoder just started stands at 0, and need not be one that can seek.
  if ((from > 0 || !needs_anchors()) && !decoder_->Seek(from)) return false;
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
    const int64_t wanted = std::min(begin - at, std::max<int64_t>(1, kSkipStep / width_));
    if (decoder_->Read(Grow(wanted)) != wanted || decoder_->damaged()) return false;
    at += wanted;
  }
  window_size_ = 0;
  window_begin_ = begin;
  return true;
}

bool SampleSource::Extend(int64_t end) {
  const int64_t more = end - WindowEnd();
  if (more <= 0) return true;
  if (decoder_->Read(Grow(more)) == more && !decoder_->damaged()) return true;
  window_anchor_ = -1;
  return false;
}

MaybeFault SampleSource::Load(int64_t anchor, int64_t begin, int64_t end, int64_t channel,
                              std::span<const float>& out) {
  if (end_ && end > end_->sample) return Fault(end_->code, end_->message, end_->sample);
  const Wanted wanted{anchor, begin, end};
  if (fallback_ == wanted) {  // of another channel
    Hand(begin, end, channel, out);
    return std::nullopt;
  }
  fallback_.reset();
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
    const ContentEnd& last = FindEnd();
    if (end > last.sample) return Fault(last.code, last.message, last.sample);
    window_size_ = 0;
    window_begin_ = 0;
    if (!decoder_->Restart() || !SkipTo(begin) || !Extend(end)) {
      window_anchor_ = -1;
      return Fault(ErrorCode::kDecode, kDamagedWords, last.sample);
    }
    window_anchor_ = -1;
    fallback_ = wanted;
  }
  Hand(begin, end, channel, out);
  return std::nullopt;
}

void SampleSource::Hand(int64_t begin, int64_t end, int64_t channel, std::span<const float>& out) {
  loaded_ = Frames(begin, end);
  if (width_ == 1) {
    out = loaded_;
    return;
  }
  const auto count = static_cast<size_t>(end - begin);
  GrowTo(channel_, count);
  const float* from = loaded_.data() + channel;
  for (size_t i = 0; i < count; ++i, from += width_) channel_[i] = *from;
  out = std::span(channel_).first(count);
}

MaybeFault SampleSource::CheckEnd() {
  // A length that was found by decoding has an end, too.
  if (end_ && end_->sample < samples_) return Fault(end_->code, end_->message, end_->sample);
  // The length was found by decoding all of it, or by its packets, of which the last was looked at.
  if (seeking() == Seeking::kOnePass) return std::nullopt;
  std::span<const float> last;
  return Load(samples_ - 1, samples_ - 1, samples_, 0, last);
}

void SampleSource::Forget(int64_t before) {
  if (window_anchor_ < 0) return;
  const int64_t drop = std::min(before - window_begin_, window_size_);
  if (drop <= 0) return;
  std::copy(window_.begin() + drop * width_, window_.begin() + window_size_ * width_,
            window_.begin());
  window_begin_ += drop;
  window_size_ -= drop;
}

}  // namespace consort
