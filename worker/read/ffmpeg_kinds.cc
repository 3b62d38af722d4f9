#include "worker/read/ffmpeg_kinds.h"

#include <algorithm>
#include <array>

namespace consort {
namespace {

constexpr bool kCounted = true;
constexpr bool kDecoded = false;  // counted by decoding

// Why so many in one pass: AAC, AC-3 and WMA fill gaps with noise, and MP2 rounds with some, from a
// generator that runs through the whole stream; speech codecs (AMR, Speex, GSM) have filters that
// never quite forget.
constexpr FfmpegCodec kCodecs[] = {
    {AV_CODEC_ID_AAC, kCounted, Seeking::kOnePass},
    {AV_CODEC_ID_AAC_LATM, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_AC3, kCounted, Seeking::kOnePass},
    {AV_CODEC_ID_EAC3, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ALAC, kCounted, Seeking::kExact},
    {AV_CODEC_ID_AMR_NB, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_AMR_WB, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_APE, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_COOK, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_DTS, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_DSD_LSBF, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_DSD_LSBF_PLANAR, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_DSD_MSBF, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_DSD_MSBF_PLANAR, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_FLAC, kCounted, Seeking::kExact},
    {AV_CODEC_ID_GSM, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_GSM_MS, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_MLP, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_MP1, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_MP2, kCounted, Seeking::kOnePass},
    {AV_CODEC_ID_MP3, kCounted, Seeking::kExact},
    {AV_CODEC_ID_MUSEPACK7, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_MUSEPACK8, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_NELLYMOSER, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_OPUS, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_RA_144, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_RA_288, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_SPEEX, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_TAK, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_TRUEHD, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_TTA, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_VORBIS, kCounted, Seeking::kExact},
    {AV_CODEC_ID_WAVPACK, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_WMALOSSLESS, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_WMAPRO, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_WMAV1, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_WMAV2, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_WMAVOICE, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_4XM, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_G722, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_G726, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_G726LE, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_IMA_QT, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_IMA_WAV, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_MS, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_SWF, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_ADPCM_YAMAHA, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_PCM_ALAW, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_BLURAY, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_PCM_DVD, kDecoded, Seeking::kOnePass},
    {AV_CODEC_ID_PCM_F32BE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_F32LE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_F64BE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_F64LE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_MULAW, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S16BE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S16LE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S24BE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S24LE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S32BE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S32LE, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_S8, kCounted, Seeking::kExact},
    {AV_CODEC_ID_PCM_U8, kCounted, Seeking::kExact},
};

constexpr std::array kFormats = {
    "aac", "ac3", "aiff",   "amr",  "ape",  "asf",  "au",     "avi",  "caf",
    "dsf", "dts", "dtshd",  "eac3", "flac", "flv",  "iff",    "loas", "matroska",
    "mlp", "mov", "mp3",    "mpc",  "mpc8", "mpeg", "mpegts", "nut",  "ogg",
    "rm",  "tak", "truehd", "tta",  "voc",  "w64",  "wav",    "wv",   "xwma",
};

std::string Join(const auto& items, auto name_of) {
  std::string joined;
  for (const auto& item : items) {
    if (!joined.empty()) joined += ',';
    joined += name_of(item);
  }
  return joined;
}

}  // namespace

const FfmpegCodec* FindFfmpegCodec(AVCodecID id) {
  const auto* const found = std::ranges::find(kCodecs, id, &FfmpegCodec::id);
  return found == std::end(kCodecs) ? nullptr : found;
}

const std::string& FfmpegFormats() {
  static const std::string formats = Join(kFormats, [](const char* name) { return name; });
  return formats;
}

const std::string& FfmpegDecoders(const FfmpegLibrary& library) {
  // Those that FFmpeg takes for these codecs, if it is not told: `ffmpeg` does, too.
  static const std::string decoders = Join(kCodecs, [&library](const FfmpegCodec& codec) {
    const AVCodec* const decoder = library.avcodec_find_decoder(codec.id);
    return decoder != nullptr ? decoder->name : "none";
  });
  return decoders;
}

}  // namespace consort
