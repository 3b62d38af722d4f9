// The samples themselves, [1, samples].
#include <algorithm>

#include "worker/features/features.h"

namespace consort {
namespace {

class WaveformFeatures : public FeatureExtractor {
 public:
  explicit WaveformFeatures(int64_t samples) : samples_(samples) {}

  std::vector<int64_t> shape() const override { return {1, samples_}; }
  void Extract(std::span<const float> wave, std::span<float> out) override {
    std::copy(wave.begin(), wave.end(), out.begin());
  }

 private:
  int64_t samples_;
};

}  // namespace

Result<std::unique_ptr<FeatureExtractor>> MakeWaveformFeatures(const Manifest& manifest) {
  return std::unique_ptr<FeatureExtractor>(
      std::make_unique<WaveformFeatures>(manifest.audio.SegmentSamples()));
}

}  // namespace consort
