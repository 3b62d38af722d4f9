#include "worker/read/ffmpeg_decoder.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "worker/read/ffmpeg_mix.h"
#include "worker/read/ffmpeg_packets.h"
#include "worker/read/regular_file.h"

namespace consort {
namespace {

constexpr int64_t kSkipStep = 16 * 1024;
// Packets between where a container says that a place is and the place.
constexpr int kMostPacketsOff = 10'000;
// A track that ends so much before its container says is cut.
constexpr double kShortBySeconds = 2;
constexpr double kShortByPart = 0.02;

int64_t TimestampOf(const AVPacket& packet) {
  return packet.dts != AV_NOPTS_VALUE ? packet.dts : packet.pts;
}

}  // namespace

bool FfmpegDecoder::Note::Is(const AVPacket& packet) const {
  return TimestampOf(packet) == timestamp && packet.pos == pos && packet.size == size;
}

Opening FfmpegDecoder::Open(int fd) {
  Close();
  std::string why;
  library_ = LoadFfmpeg(&why);
  if (library_ == nullptr) {
    return {Fault(
        ErrorCode::kUnsupported,
        "not a format that libsndfile reads, and FFmpeg's libraries could not be loaded: " + why)};
  }
  fd_ = fd;
  return Start();
}

Opening FfmpegDecoder::Start() {
  StopCodec();
  if (Opening opening = input_.Open(*library_, fd_); opening.fault) return opening;
  if (packet_ == nullptr) packet_ = library_->av_packet_alloc();
  if (frame_ == nullptr) frame_ = library_->av_frame_alloc();
  if (packet_ == nullptr || frame_ == nullptr || !StartCodec()) {
    return {Fault(ErrorCode::kUnsupported,
                  std::string("FFmpeg has no decoder for its sound, which is in the codec ") +
                      library_->avcodec_get_name(input_.codec().id))};
  }
  // The first frame tells the rate: the container's word need not be the codec's (HE-AAC).
  const bool has_sound = NextFrame();
  if (input_.encrypted()) {
    return {Fault(ErrorCode::kUnsupported, "the sound is encrypted (DRM)")};
  }
  if (!has_sound) {
    if (io_errno() != 0) {
      return {Fault(ErrorCode::kIo, "could not read: " + ErrnoWords(io_errno()))};
    }
    return {Fault(ErrorCode::kDecode, "no sound in it can be decoded")};
  }
  if (!CanMix(*frame_))
    return {Fault(ErrorCode::kUnsupported, "its samples are of an unknown kind")};
  return {};
}

bool FfmpegDecoder::Restart() {
  const bool good = library_ != nullptr && fd_ >= 0 && !Start().fault;
  if (!good) StopCodec();  // nothing can be read of it
  return good;
}

void FfmpegDecoder::Close() {
  StopCodec();
  input_.Close();
  if (packet_ != nullptr) library_->av_packet_free(&packet_);
  if (frame_ != nullptr) library_->av_frame_free(&frame_);
  fd_ = -1;
}

// A codec that has seen nothing yet.
bool FfmpegDecoder::StartCodec() {
  StopCodec();
  const AVStream& stream = input_.stream();
  const AVCodec* const kind = library_->avcodec_find_decoder(stream.codecpar->codec_id);
  codec_ = library_->avcodec_alloc_context3(kind);
  if (kind == nullptr || codec_ == nullptr) return false;
  codec_->thread_count = 1;
  codec_->pkt_timebase = stream.time_base;
  AVDictionary* options = nullptr;
  library_->av_dict_set(&options, "codec_whitelist", FfmpegDecoders(*library_).c_str(), 0);
  const bool good = library_->avcodec_parameters_to_context(codec_, stream.codecpar) >= 0 &&
                    library_->avcodec_open2(codec_, kind, &options) >= 0;
  library_->av_dict_free(&options);
  if (!good) StopCodec();  // one that did not open refuses everything, its end as well
  return good;
}

void FfmpegDecoder::StopCodec() {
  if (codec_ != nullptr) library_->avcodec_free_context(&codec_);
  codec_ = nullptr;
  if (frame_ != nullptr) library_->av_frame_unref(frame_);
  packet_waits_ = false;
  draining_ = false;
  frame_at_ = 0;
  place_ = 0;
  heard_ = false;
  damaged_ = false;
  damaged_at_end_ = false;
}

void FfmpegDecoder::MeetDamage() {
  damaged_ = true;
  // Nobody reads on behind damage: is there anything?
  damaged_at_end_ = !input_.Next(*packet_);
  packet_waits_ = false;
}

bool FfmpegDecoder::IsCut() const {
  if (!input_.at_end_of_bytes()) return false;
  // Readers mark what they got of it; not all of them, where a parser made packets of it again.
  return (packet_->flags & AV_PKT_FLAG_CORRUPT) != 0 || input_.IsCutFrame(*packet_);
}

bool FfmpegDecoder::Decode() {
  packet_waits_ = false;
  // What a reader got of the packet in which the file ends is no packet.
  if (IsCut()) return false;
  return library_->avcodec_send_packet(codec_, packet_) >= 0;
}

bool FfmpegDecoder::GoesOn(const AVFrame& frame) const {
  const bool others =
      heard() == AudioSpec::Channels::kEach && frame.ch_layout.nb_channels != channels_;
  return frame.sample_rate == rate_ && !others && CanMix(frame);
}

// The next frame that has samples. False at the end, and at damage. Until the first one, what the
// codec refuses is passed over: a recording may begin within a frame.
bool FfmpegDecoder::NextFrame() {
  frame_at_ = 0;
  for (;;) {
    const int got = library_->avcodec_receive_frame(codec_, frame_);
    if (got == 0) {
      if (frame_->nb_samples <= 0) continue;
      if (!heard_ && place_ == 0) {
        rate_ = frame_->sample_rate;
        channels_ = frame_->ch_layout.nb_channels;
      }
      heard_ = true;
      if (GoesOn(*frame_)) return true;
      library_->av_frame_unref(frame_);  // another rate within one track
      MeetDamage();
      return false;
    }
    if (got == AVERROR_EOF) return false;
    // Each turn takes a packet, whatever the codec says, so that there is an end.
    bool good = got == AVERROR(EAGAIN);
    if (!good && (heard_ || place_ > 0)) {
      MeetDamage();
      return false;
    }
    if (packet_waits_ || input_.Next(*packet_)) {
      good = Decode();
    } else {
      if (input_.failed()) {
        MeetDamage();
        return false;
      }
      if (draining_) return false;
      draining_ = true;
      library_->avcodec_send_packet(codec_, nullptr);
    }
    if (!good && (heard_ || place_ > 0)) {
      MeetDamage();
      return false;
    }
  }
}

int64_t FfmpegDecoder::Read(std::span<float> out) {
  damaged_ = false;
  damaged_at_end_ = false;
  if (codec_ == nullptr) return 0;
  if (clock_ != nullptr) clock_->Step();
  const int64_t wide = width();
  const auto wanted = static_cast<int64_t>(out.size()) / wide;
  int64_t done = 0;
  while (done < wanted) {
    if (frame_at_ >= frame_->nb_samples && !NextFrame()) break;
    const auto now = std::min<int64_t>(wanted - done, frame_->nb_samples - frame_at_);
    MixFrame(*frame_, frame_at_,
             out.subspan(static_cast<size_t>(done * wide), static_cast<size_t>(now * wide)),
             heard());
    frame_at_ += now;
    done += now;
  }
  place_ += done;
  return done;
}

ContentLength FfmpegDecoder::FindLength() {
  notes_.clear();
  if (input_.codec().counted) return CountPackets();
  ContentEnd end = DecodeToEnd(*this);
  ContentLength length{.samples = end.sample};
  const bool stopped = codec_ == nullptr;  // it could not start again
  if (stopped || damaged_ || io_errno() != 0 || WasCut(-1, end.sample)) {
    // That too little came is known by times alone, if nothing was damaged.
    const bool by_time = !stopped && !damaged_ && io_errno() == 0;
    if (by_time) end.message = kCutWords;
    ++length.samples;  // more was to come
    length.end = std::move(end);
  }
  return length;
}

ContentLength FfmpegDecoder::CountPackets() {
  const auto unread = [](const ReadFault& fault) {
    return ContentLength{.samples = 1, .end = ContentEnd{0, fault.code, fault.message}};
  };
  ContentLength length;
  // The packets once more from the first, with the codec, which has decoded one.
  AVCodecContext* const codec = std::exchange(codec_, nullptr);
  StopCodec();
  const Opening opening = input_.Open(*library_, fd_);
  int64_t packets = 0;
  bool cut = false;
  if (!opening.fault) {
    FfmpegPackets counter(*library_, input_.stream(), *codec);
    int64_t note_from = rate_;
    while (input_.Next(*packet_)) {
      // The first frame is passed over if it cannot be decoded; so is a cut one that is alone.
      cut = packets > 0 && IsCut();
      if (cut) break;
      ++packets;
      const int64_t before = length.samples;
      const bool settled = counter.settled();
      length.samples += counter.Heard(*packet_);
      if (settled && before >= note_from && TimestampOf(*packet_) != AV_NOPTS_VALUE &&
          input_.codec().seeking == Seeking::kExact) {
        notes_.push_back({TimestampOf(*packet_), packet_->pos, packet_->size, before});
        note_from = before + rate_;
      }
    }
  }
  AVCodecContext* done = codec;
  library_->avcodec_free_context(&done);
  if (opening.fault) return unread(*opening.fault);
  if (io_errno() != 0) {
    length.end =
        ContentEnd{length.samples, ErrorCode::kIo, "could not read: " + ErrnoWords(io_errno())};
  } else if (input_.failed() && !input_.at_end_of_bytes()) {
    length.end = ContentEnd{length.samples, ErrorCode::kDecode, kDamagedWords};
  } else if (cut || input_.failed()) {
    length.end = ContentEnd{length.samples, ErrorCode::kTruncated, cut_words()};
  } else if (WasCut(packets, length.samples)) {
    length.end = ContentEnd{length.samples, ErrorCode::kTruncated, kCutWords};
  }
  if (length.end) ++length.samples;  // more was to come
  return length;
}

bool FfmpegDecoder::WasCut(int64_t packets, int64_t samples) const {
  const auto promised = input_.promised_packets();
  if (promised > 0 && packets >= 0) return packets < promised;
  const double claimed = input_.claimed_seconds();
  const double missing = claimed - static_cast<double>(samples) / rate_;
  return missing > std::max(kShortBySeconds, kShortByPart * claimed);
}

bool FfmpegDecoder::Seek(int64_t frame) {
  // Damage on the way must be met, or not, wherever the way began: with a note in between, what
  // lies before that note's predecessor is jumped over. Without one, going on is what a jump would
  // do.
  const auto after = std::ranges::upper_bound(notes_, frame, {}, &Note::sample);
  const bool note_between = after != notes_.begin() && std::prev(after)->sample > place_;
  if (codec_ != nullptr && !damaged_ && frame >= place_ && !note_between) return SkipTo(frame);
  if (SeekByNotes(frame)) return SkipTo(frame);
  return Restart() && SkipTo(frame);
}

// To the last note before `frame`, by way of the one before that.
bool FfmpegDecoder::SeekByNotes(int64_t frame) {
  const auto after = std::ranges::upper_bound(notes_, frame, {}, &Note::sample);
  if (after - notes_.begin() < 2) return false;
  const Note& target = *(after - 1);
  const Note& from = *(after - 2);
  if (!StartCodec() || !input_.SeekTo(from.timestamp)) return false;
  bool found = false;
  for (int passed = 0; passed < kMostPacketsOff && input_.Next(*packet_); ++passed) {
    found = found || from.Is(*packet_);
    if (!found) continue;
    if (target.Is(*packet_)) {
      packet_waits_ = true;
      place_ = target.sample;
      return true;
    }
    // Refused after the first frame, it is damage, and what follows may bear its marks. Before, it
    // may want what came earlier.
    bool good = Decode();
    int got = 0;
    while ((got = library_->avcodec_receive_frame(codec_, frame_)) == 0) heard_ = true;
    library_->av_frame_unref(frame_);
    good = good && got == AVERROR(EAGAIN);
    if (!good && heard_) return false;
  }
  return false;
}

bool FfmpegDecoder::SkipTo(int64_t frame) {
  std::vector<float> unheard(
      static_cast<size_t>(std::clamp<int64_t>(frame - place_, 0, kSkipStep) * width()));
  while (place_ < frame) {
    const auto step = std::min<int64_t>(frame - place_, kSkipStep);
    if (Read(std::span(unheard).first(static_cast<size_t>(step * width()))) != step) return false;
  }
  return true;
}

}  // namespace consort
