#include "worker/read/sndfile_decoder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "worker/read/looks_like.h"
#include "worker/read/promised_length.h"
#include "worker/read/quiet_decoders.h"
#include "worker/read/regular_file.h"

namespace consort {
namespace {

// Why an open failed stands in one variable of libsndfile's for the whole process. Opens go on side
// by side; one that failed is repeated alone, so that it reads its own reason and no other's.
std::shared_mutex g_opens;

constexpr int64_t kInterleavedFloats = 16 * 1024;
constexpr int64_t kRawBytes = 64 * 1024;
// Read ahead where a decoder goes on from the last bytes; after a seek, and at the start, less.
constexpr int64_t kAheadBytes = 64 * 1024;
constexpr int64_t kFirstBytes = 8 * 1024;
// Far beyond any real file, far from overflow when multiplied by samples a byte.
constexpr int64_t kPretendedBytes = int64_t{1} << 44;

}  // namespace

sf_count_t SndfileDecoder::IoLength(void* user) { return static_cast<Io*>(user)->ShownSize(); }

sf_count_t SndfileDecoder::IoSeek(sf_count_t offset, int whence, void* user) {
  auto& io = *static_cast<Io*>(user);
  if (whence == SEEK_END && offset == 0 && io.pretended_end != 0) {
    io.at = io.ShownSize();
    return io.pretended_end;
  }
  const int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? io.at : io.ShownSize();
  if (base + offset < 0) return -1;
  io.at = base + offset;
  return io.at;
}

// Some of the file's bytes from `at` on, at most `count`: none at the end, or at an error.
int64_t SndfileDecoder::FetchBytes(Io& io, int64_t at, char* out, int64_t count) {
  const auto read = [&io, at](char* to, int64_t wanted) {
    if (io.clock != nullptr) io.clock->Step();
    ssize_t got = 0;
    do {
      got = ::pread(io.fd, to, static_cast<size_t>(wanted), at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) io.error = errno;
    return std::max<int64_t>(0, got);
  };
  if (at < io.ahead_at || at >= io.ahead_at + io.ahead_size) {
    if (count >= kAheadBytes) return read(out, count);
    const bool goes_on = io.ahead_size > 0 && at == io.ahead_at + io.ahead_size;
    io.ahead.resize(kAheadBytes);
    io.ahead_at = at;
    io.ahead_size = read(io.ahead.data(), goes_on ? kAheadBytes : std::max(count, kFirstBytes));
  }
  const int64_t from = at - io.ahead_at;
  const int64_t got = std::min(count, io.ahead_size - from);
  std::copy_n(io.ahead.data() + from, got, out);
  return got;
}

// Some of the bytes that are shown at io.at, at most `count`: likewise.
int64_t SndfileDecoder::FetchShown(Io& io, char* out, int64_t count) {
  const HeaderMend& mend = io.mend;
  const int64_t left = std::min(count, io.ShownSize() - io.at);
  if (left <= 0) return 0;
  const auto others = static_cast<int64_t>(mend.bytes.size());
  if (others == 0) return FetchBytes(io, io.at, out, left);
  const int64_t place = io.at - mend.at;
  if (place < 0) return FetchBytes(io, io.at, out, std::min(left, -place));
  if (place >= others) return FetchBytes(io, io.at - mend.growth(), out, left);
  const int64_t got = std::min(left, others - place);
  std::copy_n(mend.bytes.data() + place, got, out);
  return got;
}

sf_count_t SndfileDecoder::IoRead(void* out, sf_count_t count, void* user) {
  auto& io = *static_cast<Io*>(user);
  sf_count_t total = 0;
  while (total < count) {
    const int64_t got = FetchShown(io, static_cast<char*>(out) + total, count - total);
    if (got == 0) break;
    total += got;
    io.at += got;
  }
  return total;
}

sf_count_t SndfileDecoder::IoWrite(const void*, sf_count_t, void*) { return 0; }

sf_count_t SndfileDecoder::IoTell(void* user) { return static_cast<Io*>(user)->at; }

bool SndfileDecoder::Restart() {
  const std::shared_lock lock(g_opens);
  return OpenDecoder();
}

bool SndfileDecoder::OpenDecoder() {
  decoder_.reset();
  at_start_ = false;
  io_.at = 0;
  io_.error = 0;
  damaged_ = false;
  SF_VIRTUAL_IO callbacks{IoLength, IoSeek, IoRead, IoWrite, IoTell};
  SF_INFO info{};
  decoder_.reset(sf_open_virtual(&callbacks, SFM_READ, &info, &io_));
  if (decoder_ == nullptr) return false;  // what is known of it from before still holds
  info_ = info;
  pcm_ = FindPcmKind();
  at_start_ = true;
  return true;
}

// Samples that lie in the file one after the other, as this machine has them, need no decoder; the
// place of a frame libsndfile knows. Not so in every container: PAF packs 24 bits in blocks.
PcmKind SndfileDecoder::FindPcmKind() {
  switch (container()) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
    case SF_FORMAT_RF64:
    case SF_FORMAT_W64:
    case SF_FORMAT_AIFF:
    case SF_FORMAT_AU:
    case SF_FORMAT_CAF:
      break;
    default:
      return PcmKind::kOther;
  }
  if (sf_command(decoder_.get(), SFC_RAW_DATA_NEEDS_ENDSWAP, nullptr, 0) != SF_FALSE) {
    return PcmKind::kOther;
  }
  switch (codec()) {
    case SF_FORMAT_PCM_16:
      return PcmKind::kInt16;
    case SF_FORMAT_PCM_24:
      return PcmKind::kInt24;
    case SF_FORMAT_PCM_32:
      return PcmKind::kInt32;
    case SF_FORMAT_FLOAT:
      return PcmKind::kFloat;
    default:
      return PcmKind::kOther;
  }
}

Opening SndfileDecoder::Open(int fd) {
  LinkQuietDecoders();
  Close();
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return {Fault(ErrorCode::kUnreadable, "could not stat: " + ErrnoWords(errno))};
  }
  io_.fd = fd;
  io_.size = status.st_size;
  identity_ = IdentityOf(status);
  if (identity_ == mend_of_) io_.mend = mend_;
  Opening opening = OpenKnown();
  if (!opening.fault) guessed_ = LiftGuessedLength();
  return opening;
}

Opening SndfileDecoder::OpenKnown() {
  if (Restart()) {
    if (identity_ != mend_of_) {
      if (auto fault = MendHeader()) return {std::move(fault)};
    }
    if (container() == SF_FORMAT_VOC && VocGoesOn(io_.fd, io_.size)) {
      decoder_.reset();
      return {Fault(ErrorCode::kUnsupported, "VOC files of several blocks are not supported"),
              true};
    }
    if (decoder_ != nullptr) return {};
  }
  int error = 0;
  std::string words;
  {
    const std::unique_lock alone(g_opens);
    if (OpenDecoder()) return {};
    error = sf_error(nullptr);
    words = sf_strerror(nullptr);
  }
  if (io_.error != 0) return {Fault(ErrorCode::kIo, "could not read: " + ErrnoWords(io_.error))};
  if (error == SF_ERR_UNSUPPORTED_ENCODING) {
    return {Fault(ErrorCode::kUnsupported, "the file's encoding is not supported"), true};
  }
  if (words.find("channel") != std::string::npos) {
    return {Fault(ErrorCode::kUnsupported, "a channel count outside 1 to 1024 is not supported")};
  }
  FirstLook look = LookAt(io_.fd);
  return {std::move(look.fault), look.others_may_know};
}

MaybeFault SndfileDecoder::MendHeader() {
  switch (container()) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
    case SF_FORMAT_RF64:
    case SF_FORMAT_W64:
      break;
    default:
      return std::nullopt;
  }
  io_.mend = FindHeaderMend(io_.fd, io_.size, io_.clock);
  const bool shown = !io_.mend.bytes.empty() || io_.mend.end >= 0;
  const bool works = !shown || Restart();
  if (io_.mend.out_of_reach || (!works && io_.mend.made_up_head)) {
    return Fault(ErrorCode::kUnsupported,
                 "the sound goes on beyond 4 GiB, which its header cannot say, and its encoding is "
                 "not plain little-endian samples: convert it to FLAC, W64 or RF64");
  }
  if (!works) {
    io_.mend = {};
    Restart();
    return std::nullopt;
  }
  mend_of_ = identity_;
  mend_ = io_.mend;
  return std::nullopt;
}

std::string SndfileDecoder::container_name() const {
  switch (container()) {
    case SF_FORMAT_WAV:
    case SF_FORMAT_WAVEX:
      return "wav";
    case SF_FORMAT_RF64:
      return io_.mend.made_up_head ? "wav" : "rf64";
    case SF_FORMAT_W64:
      return "w64";
    case SF_FORMAT_AIFF:
      return "aiff";
    case SF_FORMAT_AU:
      return "au";
    case SF_FORMAT_CAF:
      return "caf";
    case SF_FORMAT_FLAC:
      return "flac";
    case SF_FORMAT_OGG:
      return codec() == SF_FORMAT_OPUS ? "opus" : "ogg";
    case SF_FORMAT_MPEG:
      return "mp3";
    default:
      return "other";
  }
}

void SndfileDecoder::Close() {
  decoder_.reset();
  at_start_ = false;
  guessed_ = false;
  auto ahead = std::move(io_.ahead);  // the memory is kept
  auto* const clock = io_.clock;
  io_ = {};
  io_.ahead = std::move(ahead);
  io_.clock = clock;
  info_ = {};
  damaged_ = false;
}

Seeking SndfileDecoder::seeking() const {
  if (container() == SF_FORMAT_FLAC || plain_pcm()) return Seeking::kExact;
  switch (codec()) {
    case SF_FORMAT_ALAC_16:
    case SF_FORMAT_ALAC_20:
    case SF_FORMAT_ALAC_24:
    case SF_FORMAT_ALAC_32:
      return Seeking::kExact;
    default:
      return Seeking::kAnchored;
  }
}

int32_t SndfileDecoder::preroll_seconds() const {
  // Measured: one second gives the whole file's samples exactly for Vorbis, ADPCM, GSM, Opus' CELT
  // and MP3 (at 8 kbit/s to 2e-7: its frames reach back 511 bytes, half a second). Opus' SILK, used
  // at low bit rates, forgets its past slowly and never bounds it: three seconds are mostly exact,
  // ten are no better.
  return codec() == SF_FORMAT_OPUS ? 3 : 1;
}

bool SndfileDecoder::plain_pcm() const {
  if (container() == SF_FORMAT_FLAC) return false;
  switch (codec()) {
    case SF_FORMAT_PCM_S8:
    case SF_FORMAT_PCM_U8:
    case SF_FORMAT_PCM_16:
    case SF_FORMAT_PCM_24:
    case SF_FORMAT_PCM_32:
    case SF_FORMAT_FLOAT:
    case SF_FORMAT_DOUBLE:
    case SF_FORMAT_ULAW:
    case SF_FORMAT_ALAW:
      return true;
    default:
      return false;
  }
}

bool SndfileDecoder::LiftGuessedLength() {
  if (container() != SF_FORMAT_MPEG) return false;
  // libmpg123 takes the length from the header if it has one, else from the file's size. If another
  // size gives another length, it was a guess.
  const int64_t before = info_.frames;
  io_.pretended_end = kPretendedBytes;
  if (Restart() && info_.frames != before) return true;
  io_.pretended_end = 0;
  Restart();
  return false;
}

bool SndfileDecoder::Seek(int64_t frame) {
  if (at_start_ && frame == 0) return true;
  at_start_ = false;
  return decoder_ != nullptr && sf_seek(decoder_.get(), frame, SEEK_SET) == frame;
}

int64_t SndfileDecoder::Read(std::span<float> out) {
  damaged_ = false;
  if (decoder_ == nullptr) return 0;
  if (io_.clock != nullptr) io_.clock->Step();
  at_start_ = false;
  return pcm_ != PcmKind::kOther ? ReadPcm(out) : ReadFloats(out);
}

int64_t SndfileDecoder::ReadPcm(std::span<float> out) {
  const int64_t frame_bytes = static_cast<int64_t>(PcmSampleBytes(pcm_)) * info_.channels;
  const int64_t step = std::max<int64_t>(1, kRawBytes / frame_bytes);
  raw_.resize(static_cast<size_t>(step * frame_bytes) + kPcmSlack);
  const int64_t wide = width();
  const auto wanted = static_cast<int64_t>(out.size()) / wide;
  int64_t done = 0;
  while (done < wanted) {
    const int64_t now = std::min(step, wanted - done);
    const int64_t got =
        std::max<int64_t>(0, sf_read_raw(decoder_.get(), raw_.data(), now * frame_bytes)) /
        frame_bytes;
    MixPcm(pcm_, raw_.data(), info_.channels,
           out.subspan(static_cast<size_t>(done * wide), static_cast<size_t>(got * wide)), heard());
    done += got;
    if (sf_error(decoder_.get()) != SF_ERR_NO_ERROR) damaged_ = true;
    if (got < now || damaged_) break;
  }
  return done;
}

int64_t SndfileDecoder::ReadFloats(std::span<float> out) {
  const int64_t channels = info_.channels;
  const int64_t wide = width();
  const int64_t wanted = static_cast<int64_t>(out.size()) / wide;
  const bool as_they_are = wide == channels;
  // A call to libsndfile decodes at most this much, so that damage is placed no more coarsely.
  const int64_t step = std::max<int64_t>(1, kInterleavedFloats / channels);
  if (!as_they_are) interleaved_.resize(static_cast<size_t>(step * channels) + kPcmSlack);
  int64_t done = 0;
  while (done < wanted) {
    const int64_t now = std::min(step, wanted - done);
    float* to = as_they_are ? out.data() + done * wide : interleaved_.data();
    const int64_t got = sf_readf_float(decoder_.get(), to, now);
    if (!as_they_are) {
      MixPcm(PcmKind::kFloat, reinterpret_cast<const std::byte*>(to), channels,
             out.subspan(static_cast<size_t>(done), static_cast<size_t>(std::max<int64_t>(0, got))),
             heard());
    }
    done += std::max<int64_t>(0, got);
    if (sf_error(decoder_.get()) != SF_ERR_NO_ERROR) damaged_ = true;
    if (got < now || damaged_) break;
  }
  return done;
}

}  // namespace consort
