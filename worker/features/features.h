// From a segment's samples to what the model takes.
//
// An extractor is made once for a manifest (window and filter bank with it) and used by one thread
// at a time; make one per engine. It may be made before a fork and used after it. Level
// normalization is a step of its own, before this one: normalize.h.
//
// A new kind is one file with its factory and one line in the table of features.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"

namespace consort {

class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;

  // Of one segment, with a batch of 1 in front.
  virtual std::vector<int64_t> shape() const = 0;
  // Floats in it.
  int64_t size() const;

  // `wave` has SegmentSamples() samples at the model's rate, `out` has size() floats, filled row by
  // row. Never fails; what is not finite in `wave` is not finite in `out`. Does not start threads
  // while the calling thread's LibTorch thread count is 1.
  virtual void Extract(std::span<const float> wave, std::span<float> out) = 0;
};

Result<std::unique_ptr<FeatureExtractor>> MakeFeatureExtractor(const Manifest& manifest);

// The factories, one a file.
Result<std::unique_ptr<FeatureExtractor>> MakeWaveformFeatures(const Manifest& manifest);
Result<std::unique_ptr<FeatureExtractor>> MakeLogMelFeatures(const Manifest& manifest);
Result<std::unique_ptr<FeatureExtractor>> MakeMfccFeatures(const Manifest& manifest);
Result<std::unique_ptr<FeatureExtractor>> MakeKaldiFbankFeatures(const Manifest& manifest);

}  // namespace consort
