#include "worker/features/features.h"

#include <array>
#include <utility>

namespace consort {
namespace {

using Factory = Result<std::unique_ptr<FeatureExtractor>> (*)(const Manifest&);

constexpr std::array kFactories = {
    std::pair<FeatureSpec::Kind, Factory>{FeatureSpec::Kind::kWaveform, MakeWaveformFeatures},
    std::pair<FeatureSpec::Kind, Factory>{FeatureSpec::Kind::kLogMel, MakeLogMelFeatures},
    std::pair<FeatureSpec::Kind, Factory>{FeatureSpec::Kind::kMfcc, MakeMfccFeatures},
    std::pair<FeatureSpec::Kind, Factory>{FeatureSpec::Kind::kKaldiFbank, MakeKaldiFbankFeatures},
};

}  // namespace

int64_t FeatureExtractor::size() const {
  int64_t size = 1;
  for (const int64_t length : shape()) size *= length;
  return size;
}

Result<std::unique_ptr<FeatureExtractor>> MakeFeatureExtractor(const Manifest& manifest) {
  for (const auto& [kind, make] : kFactories) {
    if (kind == manifest.features.kind) return make(manifest);
  }
  return Error{"the features of \"" + manifest.name + "\" are not supported yet",
               "use waveform, log_mel, mfcc or kaldi_fbank"};
}

}  // namespace consort
