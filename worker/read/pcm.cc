#include "worker/read/pcm.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace consort {
namespace {

template <typename T>
T Load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Sample i of a stretch. kFull is what a sample of 1.0 is, a power of two.
struct Int16 {
  static constexpr float kFull = 0x1p15F;
  static int32_t At(const std::byte* raw, size_t i) { return Load<int16_t>(raw + 2 * i); }
};
struct Int24 {
  static constexpr float kFull = 0x1p23F;
  static int32_t At(const std::byte* raw, size_t i) {  // reads one byte more
    return static_cast<int32_t>(Load<uint32_t>(raw + 3 * i) << 8) >> 8;
  }
};
struct Int32 {
  static constexpr float kFull = 0x1p31F;
  static int32_t At(const std::byte* raw, size_t i) { return Load<int32_t>(raw + 4 * i); }
};
struct Float {
  static constexpr float kFull = 1;
  static float At(const std::byte* raw, size_t i) { return Load<float>(raw + 4 * i); }
};

template <typename Kind>
float AsFloat(const std::byte* raw, size_t i) {
  return static_cast<float>(Kind::At(raw, i)) * (1 / Kind::kFull);
}

template <typename Kind>
void MixAny(const std::byte* raw, size_t channels, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    double sum = 0;
    for (size_t c = 0; c < channels; ++c) sum += AsFloat<Kind>(raw, i * channels + c);
    out[i] = static_cast<float>(sum / static_cast<double>(channels));
  }
}

// The sum of two samples of up to 24 bits is exact, so rounding it once gives the same bits.
template <typename Kind>
void MixTwoExact(const std::byte* raw, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const int32_t sum = Kind::At(raw, 2 * i) + Kind::At(raw, 2 * i + 1);
    out[i] = static_cast<float>(sum) * (0.5F / Kind::kFull);
  }
}

template <typename Kind>
void MixTwo(const std::byte* raw, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const double sum = double{AsFloat<Kind>(raw, 2 * i)} + double{AsFloat<Kind>(raw, 2 * i + 1)};
    out[i] = static_cast<float>(sum * 0.5);
  }
}

template <typename Kind>
void Mix(const std::byte* raw, int64_t channels, std::span<float> out, AudioSpec::Channels heard) {
  if (channels == 1 || heard == AudioSpec::Channels::kEach) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = AsFloat<Kind>(raw, i);
  } else if (heard == AudioSpec::Channels::kFirst) {
    const auto step = static_cast<size_t>(channels);
    for (size_t i = 0; i < out.size(); ++i) out[i] = AsFloat<Kind>(raw, i * step);
  } else if (channels != 2) {
    MixAny<Kind>(raw, static_cast<size_t>(channels), out);
  } else if constexpr (Kind::kFull <= 0x1p23F && Kind::kFull > 1) {
    MixTwoExact<Kind>(raw, out);
  } else {
    MixTwo<Kind>(raw, out);
  }
}

}  // namespace

size_t PcmSampleBytes(PcmKind kind) {
  switch (kind) {
    case PcmKind::kOther:
      return 0;
    case PcmKind::kInt16:
      return 2;
    case PcmKind::kInt24:
      return 3;
    case PcmKind::kInt32:
    case PcmKind::kFloat:
      return 4;
  }
  return 0;
}

void MixPcm(PcmKind kind, const std::byte* raw, int64_t channels, std::span<float> out,
            AudioSpec::Channels heard) {
  static_assert(std::endian::native == std::endian::little, "Int24 counts on it");
  switch (kind) {
    case PcmKind::kOther:
      return;
    case PcmKind::kInt16:
      return Mix<Int16>(raw, channels, out, heard);
    case PcmKind::kInt24:
      return Mix<Int24>(raw, channels, out, heard);
    case PcmKind::kInt32:
      return Mix<Int32>(raw, channels, out, heard);
    case PcmKind::kFloat:
      return Mix<Float>(raw, channels, out, heard);
  }
}

bool AllFinite(std::span<const float> samples) {
  // An exponent of all ones says infinite or not a number; adding one to it carries into the sign.
  constexpr uint32_t kExponentOne = 1U << 23;
  uint32_t carries = 0;
  for (const float sample : samples) {
    carries |= (std::bit_cast<uint32_t>(sample) & 0x7FFFFFFFU) + kExponentOne;
  }
  return carries >> 31 == 0;
}

}  // namespace consort
