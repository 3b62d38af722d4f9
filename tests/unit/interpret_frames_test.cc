// Answers in frames to runs. How runs become words and events: join_test.cc.
#include <gtest/gtest.h>

#include <cmath>

#include "worker/interpret/interpreter.h"

namespace consort {
namespace {

constexpr int64_t kFrameNs = 20'000'000;
constexpr int32_t kRate = 1000;

Manifest Frames(OutputSpec::Kind kind, int64_t per_hop) {
  Manifest manifest;
  manifest.audio.hop_ns = per_hop * kFrameNs;
  manifest.audio.segment_ns = manifest.audio.hop_ns;
  manifest.output.kind = kind;
  manifest.output.frame_ns = kFrameNs;
  manifest.output.threshold = 0.5;
  manifest.output.threshold_off = 0.3;
  return manifest;
}

// "label@first+count=score/level", of frames counted through the file.
std::string Text(const SegmentRuns& runs) {
  std::string text = std::to_string(runs.first_frame) + "+" + std::to_string(runs.frames) + ":";
  for (const FrameRun& run : runs.runs) {
    char one[80];
    std::snprintf(one, sizeof(one), " %u@%llu+%u=%.2f/%d", run.label,
                  static_cast<unsigned long long>(runs.first_frame + run.first), run.count,
                  static_cast<double>(run.score), int{run.level});
    text += one;
  }
  return text;
}

std::string Interpret(const Manifest& manifest, const std::vector<float>& raw,
                      const SegmentPlace& place, size_t labels = 2) {
  const auto interpreter = MakeInterpreter(manifest, std::vector<std::string>(labels, "label"));
  SegmentResult result;  // of the other kind, and not empty
  std::get<SegmentTags>(result).tags = {{0, 1.0F}};
  for (int i = 0; i < 2; ++i) {
    const Status done = interpreter->Interpret(raw, place, result);
    if (!done) return done.error().what;
  }
  return Text(std::get<SegmentRuns>(result));
}

constexpr SegmentPlace kAlone{0, 1, 1'000'000, kRate};

TEST(FrameRuns, AreStretchesOfALabelAtOneLevel) {
  const std::vector<float> raw = {0.6F, 0.1F, 0.9F, 0.4F, 0.4F, 0.4F, 0.3F, 0.1F, 0.5F, 0.2F};
  EXPECT_EQ(Interpret(Frames(OutputSpec::Kind::kFrames, 5), raw, kAlone),
            "0+5: 0@0+2=0.90/2 0@2+2=0.40/1 0@4+1=0.50/2 1@1+2=0.40/1");
}

TEST(FrameRuns, ReachTheThresholdOfTheirLabel) {
  Manifest manifest = Frames(OutputSpec::Kind::kFrames, 5);
  const std::vector<float> raw = {0.6F, 0.1F, 0.9F, 0.4F, 0.4F, 0.4F, 0.3F, 0.1F, 0.5F, 0.2F};
  manifest.output.label_thresholds = {0.9F, 0.2F};
  EXPECT_EQ(Interpret(manifest, raw, kAlone),
            "0+5: 0@0+1=0.60/1 0@1+1=0.90/2 0@2+3=0.50/1 1@1+2=0.40/2 1@4+1=0.20/2")
      << "what ends an event is never above what begins it";
  manifest.output.label_thresholds = {INFINITY, 0.5F};
  EXPECT_EQ(Interpret(manifest, raw, kAlone), "0+5: 1@1+2=0.40/1") << "nothing of the first label";
}

TEST(FrameRuns, TouchTheThresholdsAsFloats) {
  Manifest manifest = Frames(OutputSpec::Kind::kFrames, 2);
  manifest.output.threshold = 0.7;
  EXPECT_EQ(Interpret(manifest, {0.7F, 0.69F}, kAlone, 1), "0+2: 0@0+1=0.70/2 0@1+1=0.69/1");
}

TEST(TokenRuns, AreTheBestTokenOfEachFrameWithoutBlanks) {
  Manifest manifest = Frames(OutputSpec::Kind::kCtc, 4);
  manifest.output.activation = OutputSpec::Activation::kNone;
  const std::vector<float> raw = {0.1F, 0.5F, 0.4F, 0.1F, 0.6F, 0.3F,
                                  0.8F, 0.1F, 0.1F, 0.2F, 0.4F, 0.4F};
  EXPECT_EQ(Interpret(manifest, raw, kAlone, 3), "0+4: 1@0+2=0.60/2 1@3+1=0.40/2");
  manifest.output.blank = 1;
  EXPECT_EQ(Interpret(manifest, raw, kAlone, 3), "0+4: 0@2+1=0.80/2");
}

TEST(TokenRuns, HaveProbabilitiesForLogits) {
  Manifest manifest = Frames(OutputSpec::Kind::kCtc, 1);
  for (const auto activation :
       {OutputSpec::Activation::kLogSoftmax, OutputSpec::Activation::kSoftmax}) {
    manifest.output.activation = activation;
    EXPECT_EQ(Interpret(manifest, {0.0F, std::log(3.0F)}, kAlone), "0+1: 1@0+1=0.75/2");
  }
}

TEST(FrameRuns, AreOfTheFramesInASegmentsMiddle) {
  // Eight frames a segment, four a hop: two are dropped on each side.
  const std::vector<float> raw(8, 1.0F);
  const auto manifest = Frames(OutputSpec::Kind::kFrames, 4);
  EXPECT_EQ(Interpret(manifest, raw, {0, 3, 1'000'000, kRate}, 1), "0+6: 0@0+6=1.00/2");
  EXPECT_EQ(Interpret(manifest, raw, {1, 3, 1'000'000, kRate}, 1), "6+4: 0@6+4=1.00/2");
  EXPECT_EQ(Interpret(manifest, raw, {2, 3, 1'000'000, kRate}, 1), "10+6: 0@10+6=1.00/2");
  // The file has 241 ms: 13 frames begin before its end.
  EXPECT_EQ(Interpret(manifest, raw, {2, 3, 241, kRate}, 1), "10+3: 0@10+3=1.00/2");
  EXPECT_EQ(Interpret(manifest, raw, {2, 3, 160, kRate}, 1), "8+0:") << "none of its own";
}

TEST(FrameRuns, OfAModelThatGivesTooFewFramesRepeatTheLast) {
  const auto manifest = Frames(OutputSpec::Kind::kFrames, 4);
  EXPECT_EQ(Interpret(manifest, {0.1F, 0.2F, 0.9F}, {1, 3, 1'000'000, kRate}, 1),
            "4+4: 0@6+2=0.90/2");
  EXPECT_EQ(Interpret(manifest, {0.1F, 0.2F, 0.9F}, {2, 3, 1'000'000, kRate}, 1),
            "8+3: 0@10+1=0.90/2");
}

TEST(FrameRuns, RefuseScoresThatAreNotFiniteOrNoRows) {
  for (const auto kind : {OutputSpec::Kind::kFrames, OutputSpec::Kind::kCtc}) {
    const auto manifest = Frames(kind, 2);
    EXPECT_EQ(Interpret(manifest, {0, 1, NAN, 1}, kAlone), "the model's score 2 is not a number");
    EXPECT_EQ(Interpret(manifest, {0, INFINITY}, kAlone), "the model's score 1 is infinite");
    EXPECT_EQ(Interpret(manifest, {0, 1, 2}, kAlone),
              "the model gave 3 scores, no frames of 2 labels");
    EXPECT_EQ(Interpret(manifest, {}, kAlone), "the model gave 0 scores, no frames of 2 labels");
  }
}

TEST(FrameRuns, AreNoMoreThanARecordHolds) {
  std::vector<float> raw(2 * kMaxRuns + 2);
  for (size_t i = 0; i < raw.size(); i += 2) raw[i] = 1.0F;
  const auto manifest = Frames(OutputSpec::Kind::kFrames, static_cast<int64_t>(raw.size()));
  EXPECT_EQ(Interpret(manifest, raw, kAlone, 1),
            "the model's answer changes 3501 times in one segment, more than the 3500 that can be "
            "told");
  raw.resize(2 * kMaxRuns);
  EXPECT_TRUE(Interpret(manifest, raw, kAlone, 1).starts_with("0+7000: "));
}

}  // namespace
}  // namespace consort
