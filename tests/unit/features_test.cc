// The extractors against what PyTorch makes of the same samples (make_feature_reference.py).
#include "worker/features/features.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "worker/features/normalize.h"

namespace consort {
namespace {

std::string Text(const std::string& name) {
  std::ifstream in(std::string(FEATURE_REFERENCE) + "/" + name, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<float> Floats(const std::string& name) {
  const std::string bytes = Text(name);
  std::vector<float> floats(bytes.size() / sizeof(float));
  memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
  return floats;
}

Manifest ManifestOf(const std::string& name) {
  const auto manifest = ParseManifest(Text(name + ".json"), name + ".json");
  EXPECT_TRUE(manifest) << manifest.error().Sentence();
  return manifest.value();
}

std::unique_ptr<FeatureExtractor> Make(const Manifest& manifest) {
  auto extractor = MakeFeatureExtractor(manifest);
  EXPECT_TRUE(extractor) << extractor.error().Sentence();
  return std::move(extractor).value();
}

class FeaturesOf : public testing::TestWithParam<std::string> {};

TEST_P(FeaturesOf, AreThoseOfPyTorch) {
  const Manifest manifest = ManifestOf(GetParam());
  auto wave = Floats(GetParam() + ".wave");
  const auto expected = Floats(GetParam() + ".features");
  ASSERT_EQ(static_cast<int64_t>(wave.size()), manifest.audio.SegmentSamples());
  const auto extractor = Make(manifest);

  std::string shape;
  for (const int64_t length : extractor->shape())
    shape += (shape.empty() ? "" : " ") + std::to_string(length);
  EXPECT_EQ(shape, Text(GetParam() + ".shape"));
  ASSERT_EQ(extractor->size(), static_cast<int64_t>(expected.size()));

  Normalize(manifest.audio.normalize, wave);
  std::vector<float> features(expected.size());
  extractor->Extract(wave, features);
  double worst = 0;  // relative to the value where that is above 1
  for (size_t i = 0; i < features.size(); ++i) {
    const double difference = std::fabs(double{features[i]} - double{expected[i]});
    worst = std::max(worst, difference / std::max(1.0, std::fabs(double{expected[i]})));
    ASSERT_TRUE(std::isfinite(features[i]));
  }
  EXPECT_LE(worst, 1e-5);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  std::istringstream in(Text("done"));
  for (std::string name; std::getline(in, name);) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Case, FeaturesOf, testing::ValuesIn(Names()),
                         [](const auto& test) { return test.param; });

class FeaturesOfAKind : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Kind, FeaturesOfAKind,
                         testing::Values("cnn14", "whisper", "mfcc", "kaldi_fbank"),
                         [](const auto& test) { return test.param; });

TEST_P(FeaturesOfAKind, AreTheSameBitsWhereverTheSamplesLieAndWhateverCameBefore) {
  const auto extractor = Make(ManifestOf(GetParam()));
  const auto wave = Floats(GetParam() + ".wave");
  std::vector<float> first(static_cast<size_t>(extractor->size()));
  extractor->Extract(wave, first);
  for (size_t shift = 1; shift < 16; shift += 4) {
    std::vector<float> shifted(shift + wave.size());
    std::copy(wave.begin(), wave.end(), shifted.begin() + static_cast<std::ptrdiff_t>(shift));
    std::vector<float> again(shift + first.size());
    extractor->Extract(std::vector<float>(wave.size(), 0.5F), std::span(again).subspan(shift));
    extractor->Extract(std::span(shifted).subspan(shift), std::span(again).subspan(shift));
    EXPECT_EQ(memcmp(again.data() + shift, first.data(), first.size() * sizeof(float)), 0) << shift;
  }
}

TEST(Features, OfSilenceAreTheFloor) {
  const Manifest manifest = ManifestOf("cnn14");
  const auto extractor = Make(manifest);
  const std::vector<float> silence(static_cast<size_t>(manifest.audio.SegmentSamples()), 0.0F);
  std::vector<float> features(static_cast<size_t>(extractor->size()));
  extractor->Extract(silence, features);
  for (const float value : features) ASSERT_FLOAT_EQ(value, -10.0F);
}

TEST_P(FeaturesOfAKind, LetNotANumberThrough) {
  const auto extractor = Make(ManifestOf(GetParam()));
  auto wave = Floats(GetParam() + ".wave");
  wave[wave.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> features(static_cast<size_t>(extractor->size()));
  extractor->Extract(wave, features);
  EXPECT_TRUE(std::any_of(features.begin(), features.end(), [](float x) { return std::isnan(x); }));
}

TEST(Features, OfAKindWithoutAnExtractorAreRefused) {
  Manifest manifest = ManifestOf("cnn14");
  manifest.features.kind = static_cast<FeatureSpec::Kind>(99);
  EXPECT_FALSE(MakeFeatureExtractor(manifest));
}

TEST(Normalize, LeavesSilenceSilent) {
  for (const auto kind : {AudioSpec::Normalize::kNone, AudioSpec::Normalize::kZeroMeanUnitVariance,
                          AudioSpec::Normalize::kPeak}) {
    std::vector<float> silence(100, 0.0F);
    Normalize(kind, silence);
    EXPECT_EQ(silence, std::vector<float>(100, 0.0F));
  }
}

TEST(Normalize, BringsThePeakToOneWhateverItsSign) {
  std::vector<float> wave{0.1F, -0.5F, 0.25F};
  Normalize(AudioSpec::Normalize::kPeak, wave);
  EXPECT_EQ(wave, (std::vector<float>{0.2F, -1.0F, 0.5F}));
}

TEST(Normalize, TakesTheVarianceOfThePopulation) {
  std::vector<float> wave{1, 3};
  Normalize(AudioSpec::Normalize::kZeroMeanUnitVariance, wave);
  EXPECT_FLOAT_EQ(wave[1], static_cast<float>(1 / std::sqrt(1 + 1e-7)));
  EXPECT_FLOAT_EQ(wave[0], -wave[1]);
}

}  // namespace
}  // namespace consort
