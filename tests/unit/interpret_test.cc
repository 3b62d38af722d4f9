#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "worker/interpret/tags.h"

namespace consort {
namespace {

using Activation = OutputSpec::Activation;

struct Answer {
  std::vector<uint32_t> labels;
  std::vector<float> scores;
};

Answer Interpret(const std::vector<float>& raw, OutputSpec output,
                 std::vector<std::string> labels = {}) {
  for (size_t i = labels.size(); i < raw.size(); ++i) labels.push_back("label" + std::to_string(i));
  TagInterpreter interpreter(output, labels);
  std::vector<Tag> tags;
  const Status status = interpreter.Interpret(raw, tags);
  EXPECT_TRUE(status) << status.error().Sentence();
  Answer answer;
  for (const Tag& tag : tags) {
    answer.labels.push_back(tag.label);
    answer.scores.push_back(tag.score);
  }
  return answer;
}

OutputSpec Spec(Activation activation, int64_t top_k, double threshold) {
  OutputSpec output;
  output.activation = activation;
  output.top_k = top_k;
  output.threshold = threshold;
  return output;
}

TEST(Tags, AreTheBestScoresInOrder) {
  const Answer answer = Interpret({0.1F, 0.9F, 0.3F, 0.7F}, Spec(Activation::kNone, 3, 0));
  EXPECT_EQ(answer.labels, (std::vector<uint32_t>{1, 3, 2}));
  EXPECT_EQ(answer.scores, (std::vector<float>{0.9F, 0.7F, 0.3F}));
}

TEST(Tags, ReachTheThresholdOrAreLeftOut) {
  EXPECT_EQ(Interpret({0.1F, 0.7F, 0.69F, 0.8F}, Spec(Activation::kNone, 5, 0.7)).labels,
            (std::vector<uint32_t>{3, 1}));
  EXPECT_TRUE(Interpret({0.1F, 0.2F}, Spec(Activation::kNone, 5, 0.5)).labels.empty());
  EXPECT_TRUE(Interpret({-0.1F, -0.2F}, Spec(Activation::kNone, 5, 0)).labels.empty());
}

TEST(Tags, ReachTheThresholdOfTheirLabel) {
  OutputSpec output = Spec(Activation::kNone, 2, 0.5);
  output.label_thresholds = {0.05F, INFINITY, 0.3F, 0.71F, 0.3F};
  EXPECT_EQ(Interpret({0.1F, 0.9F, 0.3F, 0.7F, 0.4F}, output).labels, (std::vector<uint32_t>{4, 2}))
      << "top_k counts among those that pass";
  output.top_k = 5;
  EXPECT_EQ(Interpret({0.1F, 0.9F, 0.29F, 0.71F, 0.4F}, output).labels,
            (std::vector<uint32_t>{3, 4, 0}));
}

TEST(Tags, OfEqualScoreAreInTheOrderOfTheirLabelsBytes) {
  // bytes: "B" < "a" < "\xC3\xA9"
  const Answer answer = Interpret({0.5F, 0.5F, 0.5F, 0.6F}, Spec(Activation::kNone, 3, 0),
                                  {"\xC3\xA9", "a", "B", "z"});
  EXPECT_EQ(answer.labels, (std::vector<uint32_t>{3, 2, 1}));
}

TEST(Tags, AreToldApartByScoresThatRoundToTheSame) {
  const float more = std::nextafter(0.5F, 1.0F);
  EXPECT_EQ(Interpret({0.5F, more}, Spec(Activation::kNone, 1, 0), {"a", "b"}).labels,
            std::vector<uint32_t>{1});
}

TEST(Tags, SigmoidIsStableAtBothEnds) {
  const Answer answer = Interpret({-1000, 0, 1000, 2}, Spec(Activation::kSigmoid, 4, 0));
  EXPECT_EQ(answer.labels, (std::vector<uint32_t>{2, 3, 1, 0}));
  EXPECT_EQ(answer.scores[0], 1.0F);
  EXPECT_FLOAT_EQ(answer.scores[1], 0.88079708F);
  EXPECT_EQ(answer.scores[2], 0.5F);
  EXPECT_EQ(answer.scores[3], 0.0F);
}

TEST(Tags, SoftmaxSumsToOneAndDoesNotOverflow) {
  const Answer small = Interpret({1, 2, 3}, Spec(Activation::kSoftmax, 3, 0));
  EXPECT_FLOAT_EQ(small.scores[0], 0.66524096F);
  EXPECT_FLOAT_EQ(small.scores[1], 0.24472847F);
  EXPECT_FLOAT_EQ(small.scores[2], 0.09003057F);
  const Answer large = Interpret({1001, 1002, 1003}, Spec(Activation::kSoftmax, 3, 0));
  EXPECT_EQ(small.scores, large.scores);
}

TEST(Tags, LogSoftmaxIsTheLogarithmOfSoftmax) {
  const Answer answer = Interpret({1, 2, 3}, Spec(Activation::kLogSoftmax, 3, -100));
  EXPECT_FLOAT_EQ(answer.scores[0], -0.40760596F);
}

TEST(Tags, RefuseScoresThatAreNotFinite) {
  TagInterpreter interpreter(Spec(Activation::kSigmoid, 5, 0), {"a", "b"});
  std::vector<Tag> tags{{0, 1.0F}};
  EXPECT_EQ(interpreter.Interpret(std::vector<float>{0, NAN}, tags).error().what,
            "the model's score 1 is not a number");
  EXPECT_TRUE(tags.empty());
  EXPECT_EQ(interpreter.Interpret(std::vector<float>{-INFINITY, 0}, tags).error().what,
            "the model's score 0 is infinite");
}

TEST(Tags, RefuseAnotherNumberOfScoresThanLabels) {
  TagInterpreter interpreter(Spec(Activation::kNone, 5, 0), {"a", "b"});
  std::vector<Tag> tags;
  EXPECT_EQ(interpreter.Interpret(std::vector<float>{1, 2, 3}, tags).error().what,
            "the model gave 3 scores for 2 labels");
}

TEST(Tags, DoNotDependOnTheCallBefore) {
  TagInterpreter interpreter(Spec(Activation::kNone, 2, 0), {"a", "b", "c"});
  std::vector<Tag> tags;
  ASSERT_TRUE(interpreter.Interpret(std::vector<float>{3, 2, 1}, tags));
  ASSERT_TRUE(interpreter.Interpret(std::vector<float>{0, -1, 5}, tags));
  ASSERT_EQ(tags.size(), 2U);
  EXPECT_EQ(tags[0].label, 2U);
  EXPECT_EQ(tags[1].label, 0U);
}

}  // namespace
}  // namespace consort
