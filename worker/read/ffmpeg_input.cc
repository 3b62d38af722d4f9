#include "worker/read/ffmpeg_input.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "worker/read/frame_end.h"
#include "worker/read/regular_file.h"

namespace consort {
namespace {

constexpr int kBufferBytes = 64 * 1024;
// What av_probe_input_format gives for the first glimpse of something; noise gets that far.
constexpr int kGlimpse = AVPROBE_SCORE_RETRY;

std::string ContainerName(std::string_view names) {
  std::string name(names.substr(0, std::min(names.find(','), kMaxContainerBytes)));
  const auto odd = [](char c) { return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')); };
  std::erase_if(name, odd);
  return name == "mov" ? "mp4" : name;
}

int OpenNoOther(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

}  // namespace

int FfmpegInput::ReadBytes(void* self, uint8_t* out, int wanted) {
  auto& input = *static_cast<FfmpegInput*>(self);
  if (input.clock_ != nullptr) input.clock_->Step();
  ssize_t got = 0;
  do {
    got = ::pread(input.fd_, out, static_cast<size_t>(wanted), input.at_);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    input.error_ = errno;
    return AVERROR(input.error_);
  }
  if (got == 0) return AVERROR_EOF;
  input.at_ += got;
  return static_cast<int>(got);
}

int64_t FfmpegInput::SeekBytes(void* self, int64_t offset, int whence) {
  auto& input = *static_cast<FfmpegInput*>(self);
  if ((whence & AVSEEK_SIZE) != 0) return input.size_;
  whence &= ~AVSEEK_FORCE;
  const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? input.at_ : input.size_;
  int64_t to = 0;
  if (__builtin_add_overflow(base, offset, &to) || to < 0) return AVERROR(EINVAL);
  input.at_ = to;
  return to;
}

Opening FfmpegInput::Open(const FfmpegLibrary& library, int fd) {
  Close();
  library_ = &library;
  fd_ = fd;
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return {Fault(ErrorCode::kUnreadable, "could not stat: " + ErrnoWords(errno))};
  }
  size_ = status.st_size;
  const auto no_memory = [] {
    return Opening{
        ReadFault{ErrorCode::kUnreadable, -1, "no memory for a container's reader", true}};
  };
  auto* const buffer = static_cast<uint8_t*>(library.av_malloc(kBufferBytes));
  io_ = buffer == nullptr ? nullptr
                          : library.avio_alloc_context(buffer, kBufferBytes, 0, this, ReadBytes,
                                                       nullptr, SeekBytes);
  format_ = library.avformat_alloc_context();
  if (io_ == nullptr || format_ == nullptr) {
    return no_memory();
  }
  format_->pb = io_;
  format_->io_open = OpenNoOther;
  AVDictionary* options = nullptr;
  library.av_dict_set(&options, "format_whitelist", FfmpegFormats().c_str(), 0);
  library.av_dict_set(&options, "codec_whitelist", FfmpegDecoders(library).c_str(), 0);
  library.av_dict_set(&options, "protocol_whitelist", "", 0);
  library.av_dict_set(&options, "scan_all_pmts", "1", 0);  // as the program ffmpeg does
  const int opened = library.avformat_open_input(&format_, nullptr, nullptr, &options);
  library.av_dict_free(&options);
  const auto unknown = [] {
    return Opening{Fault(ErrorCode::kNotAudio, "no decoder knows the content"), true};
  };
  if (error_ != 0) return {Fault(ErrorCode::kIo, "could not read: " + ErrnoWords(error_))};
  if (opened == AVERROR(ENOMEM)) return no_memory();
  if (opened < 0 || format_->probe_score <= kGlimpse) return unknown();
  container_name_ = ContainerName(format_->iformat->name);
  library.avformat_find_stream_info(format_, nullptr);
  if (error_ != 0) return {Fault(ErrorCode::kIo, "could not read: " + ErrnoWords(error_))};
  return {ChooseStream()};
}

// As the program ffmpeg chooses, if it is not told: the track marked as the default, of those one
// that has packets, of those one with the most channels.
MaybeFault FfmpegInput::ChooseStream() {
  int64_t best = -1;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream& each = *format_->streams[i];
    each.discard = AVDISCARD_ALL;
    if (each.codecpar->codec_type != AVMEDIA_TYPE_AUDIO) continue;
    const int64_t score =
        each.codecpar->ch_layout.nb_channels +
        ((each.event_flags & AVSTREAM_EVENT_FLAG_NEW_PACKETS) != 0 ? 100'000'000 : 0) +
        ((each.disposition & AV_DISPOSITION_DEFAULT) != 0 ? 5'000'000 : 0);
    if (score > best) {
      best = score;
      stream_ = i;
    }
  }
  if (best < 0) {
    return Fault(ErrorCode::kUnsupported, std::string("there is no sound track in it (") +
                                              format_->iformat->long_name + ")");
  }
  stream().discard = AVDISCARD_DEFAULT;
  const uint32_t tag = stream().codecpar->codec_tag;
  encrypted_ = tag == MKTAG('e', 'n', 'c', 'a') || tag == MKTAG('d', 'r', 'm', 's');
  const FfmpegCodec* const known = FindFfmpegCodec(stream().codecpar->codec_id);
  if (known == nullptr) {
    const AVCodecID id = stream().codecpar->codec_id;
    return Fault(ErrorCode::kUnsupported,
                 id == AV_CODEC_ID_NONE
                     ? std::string("its sound is in a codec that FFmpeg does not know")
                     : std::string("its sound is in the codec ") + library_->avcodec_get_name(id) +
                           ", which is not supported");
  }
  codec_ = *known;
  // Each link of a chain has a configuration of its own, and its time begins anew.
  if (std::string_view(format_->iformat->name) == "ogg") {
    codec_.counted = false;
    codec_.seeking = Seeking::kOnePass;
  }
  // Its reader knows no place but those that it came by.
  if (std::string_view(format_->iformat->name) == "voc") codec_.seeking = Seeking::kOnePass;
  return std::nullopt;
}

void FfmpegInput::Close() {
  if (format_ != nullptr) library_->avformat_close_input(&format_);
  format_ = nullptr;
  if (io_ != nullptr) {
    library_->av_free(io_->buffer);  // not always the one it was made with
    library_->avio_context_free(&io_);
  }
  io_ = nullptr;
  stream_ = 0;
  at_ = 0;
  error_ = 0;
  failed_ = false;
  encrypted_ = false;
}

int64_t FfmpegInput::promised_packets() const {
  if (!std::string_view(format_->iformat->name).starts_with("mov,")) return 0;
  return library_->avformat_index_get_entries_count(format_->streams[stream_]);
}

double FfmpegInput::claimed_seconds() const {
  if (format_->nb_streams != 1 || format_->duration <= 0 ||
      format_->duration_estimation_method != AVFMT_DURATION_FROM_STREAM) {
    return 0;
  }
  return static_cast<double>(format_->duration) / AV_TIME_BASE;
}

bool FfmpegInput::is_bare_frames() const {
  static constexpr std::array<std::string_view, 10> kBare = {
      "aac", "ac3", "amr", "dts", "eac3", "loas", "mlp", "mpeg", "mpegts", "truehd"};
  if (format_ == nullptr) return false;
  const std::string_view name = format_->iformat->name;
  // Of MP3 there may be a first frame that says how much there is; of MP2 there is none.
  if (name == "mp3") return codec_.id == AV_CODEC_ID_MP2;
  return std::ranges::find(kBare, name) != kBare.end();
}

bool FfmpegInput::IsCutFrame(const AVPacket& packet) const {
  return is_bare_frames() &&
         EndsWithinFrame(codec_.id, {packet.data, static_cast<size_t>(packet.size)});
}

bool FfmpegInput::Next(AVPacket& packet) {
  for (;;) {
    library_->av_packet_unref(&packet);
    const int got = library_->av_read_frame(format_, &packet);
    if (got == AVERROR(EAGAIN)) continue;
    if (got < 0) {
      failed_ = got != AVERROR_EOF;
      return false;
    }
    if (static_cast<unsigned>(packet.stream_index) != stream_) continue;
    encrypted_ = encrypted_ || library_->av_packet_get_side_data(
                                   &packet, AV_PKT_DATA_ENCRYPTION_INFO, nullptr) != nullptr;
    return true;
  }
}

bool FfmpegInput::SeekTo(int64_t timestamp) {
  failed_ = false;
  return library_->av_seek_frame(format_, static_cast<int>(stream_), timestamp,
                                 AVSEEK_FLAG_BACKWARD) >= 0;
}

}  // namespace consort
