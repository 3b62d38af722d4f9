#include "worker/features/normalize.h"

#include <algorithm>
#include <cmath>

namespace consort {
namespace {

void ToZeroMeanUnitVariance(std::span<float> wave) {
  const auto count = static_cast<double>(wave.size());
  double sum = 0;
  for (const float x : wave) sum += x;
  const double mean = sum / count;
  double squares = 0;
  for (const float x : wave) squares += (x - mean) * (x - mean);
  const double scale = 1 / std::sqrt(squares / count + 1e-7);
  for (float& x : wave) x = static_cast<float>((x - mean) * scale);
}

void ToPeak(std::span<float> wave) {
  float peak = 0;
  for (const float x : wave) peak = std::max(peak, std::fabs(x));
  if (peak == 0) return;
  for (float& x : wave) x /= peak;
}

}  // namespace

void Normalize(AudioSpec::Normalize kind, std::span<float> wave) {
  if (wave.empty()) return;
  switch (kind) {
    case AudioSpec::Normalize::kNone:
      return;
    case AudioSpec::Normalize::kZeroMeanUnitVariance:
      return ToZeroMeanUnitVariance(wave);
    case AudioSpec::Normalize::kPeak:
      return ToPeak(wave);
  }
}

}  // namespace consort
