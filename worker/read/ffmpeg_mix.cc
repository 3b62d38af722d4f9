#include "worker/read/ffmpeg_mix.h"

#include <cstddef>

namespace consort {
namespace {

float AsFloat(uint8_t sample) { return static_cast<float>(sample - 0x80) * 0x1p-7F; }
float AsFloat(int16_t sample) { return static_cast<float>(sample) * 0x1p-15F; }
float AsFloat(int32_t sample) { return static_cast<float>(sample) * 0x1p-31F; }
float AsFloat(int64_t sample) { return static_cast<float>(sample) * 0x1p-63F; }
float AsFloat(float sample) { return sample; }
float AsFloat(double sample) { return static_cast<float>(sample); }

template <typename T>
void Mix(const AVFrame& frame, bool planar, size_t from, std::span<float> out,
         AudioSpec::Channels heard) {
  const auto channels = static_cast<size_t>(frame.ch_layout.nb_channels);
  // Sample i of channel c, whichever way they lie.
  const auto at = [&](size_t i, size_t c) {
    const auto* plane = reinterpret_cast<const T*>(frame.extended_data[planar ? c : 0]);
    return AsFloat(plane[planar ? from + i : (from + i) * channels + c]);
  };
  if (channels == 1 || heard == AudioSpec::Channels::kFirst) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = at(i, 0);
    return;
  }
  if (heard == AudioSpec::Channels::kEach) {
    for (size_t i = 0; i < out.size() / channels; ++i) {
      for (size_t c = 0; c < channels; ++c) out[i * channels + c] = at(i, c);
    }
    return;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += at(i, c);
    out[i] = static_cast<float>(sum / static_cast<double>(channels));
  }
}

}  // namespace

bool CanMix(const AVFrame& frame) {
  return frame.format >= 0 && frame.format < AV_SAMPLE_FMT_NB && frame.ch_layout.nb_channels > 0;
}

void MixFrame(const AVFrame& frame, int64_t from, std::span<float> out, AudioSpec::Channels heard) {
  const auto first = static_cast<size_t>(from);
  switch (static_cast<AVSampleFormat>(frame.format)) {
    case AV_SAMPLE_FMT_U8:
    case AV_SAMPLE_FMT_U8P:
      return Mix<uint8_t>(frame, frame.format == AV_SAMPLE_FMT_U8P, first, out, heard);
    case AV_SAMPLE_FMT_S16:
    case AV_SAMPLE_FMT_S16P:
      return Mix<int16_t>(frame, frame.format == AV_SAMPLE_FMT_S16P, first, out, heard);
    case AV_SAMPLE_FMT_S32:
    case AV_SAMPLE_FMT_S32P:
      return Mix<int32_t>(frame, frame.format == AV_SAMPLE_FMT_S32P, first, out, heard);
    case AV_SAMPLE_FMT_S64:
    case AV_SAMPLE_FMT_S64P:
      return Mix<int64_t>(frame, frame.format == AV_SAMPLE_FMT_S64P, first, out, heard);
    case AV_SAMPLE_FMT_FLT:
    case AV_SAMPLE_FMT_FLTP:
      return Mix<float>(frame, frame.format == AV_SAMPLE_FMT_FLTP, first, out, heard);
    case AV_SAMPLE_FMT_DBL:
    case AV_SAMPLE_FMT_DBLP:
      return Mix<double>(frame, frame.format == AV_SAMPLE_FMT_DBLP, first, out, heard);
    case AV_SAMPLE_FMT_NONE:
    case AV_SAMPLE_FMT_NB:
      return;
  }
}

}  // namespace consort
