#include <gtest/gtest.h>

#include <cmath>

#include "fixture_root.h"
#include "supervisor/choose/choose_tags.h"

namespace consort {
namespace {

class Choose : public testing::Test {
 protected:
  Choose() {
    bundle_.folder = "bundle";
    bundle_.labels = {"Speech", "Dog", "Cat", "Bird\tsong", "Dog"};  // one name twice
    bundle_.manifest.output.labels_path = "labels.txt";
    bundle_.manifest.output.top_k = 5;
    bundle_.manifest.output.threshold = 0.1;
  }

  std::string File(const std::string& name, const std::string& content) {
    root_.Write('/' + name, content);
    return root_.path() + '/' + name;
  }
  ChosenTags Good(const TagOptions& options) {
    auto chosen = ChooseTags(options, bundle_);
    EXPECT_TRUE(chosen) << chosen.error().Sentence();
    return chosen ? std::move(chosen).value() : ChosenTags{};
  }
  // The error, its files' folder left out.
  std::string Trouble(const TagOptions& options) {
    const auto chosen = ChooseTags(options, bundle_);
    if (chosen) return "";
    std::string text = chosen.error().Sentence();
    for (size_t at; (at = text.find(root_.path() + '/')) != std::string::npos;) {
      text.erase(at, root_.path().size() + 1);
    }
    return text;
  }
  static std::vector<std::string> Values(const ChosenTags& chosen) {
    std::vector<std::string> values;
    for (const auto& part : chosen.identity) values.push_back(part.value);
    return values;
  }

  FixtureRoot root_;
  Bundle bundle_;
};

constexpr float kOut = INFINITY;

TEST_F(Choose, IsTheBundlesWhereNothingIsSaid) {
  const ChosenTags chosen = Good({});
  EXPECT_EQ(chosen.output.top_k, 5);
  EXPECT_TRUE(chosen.output.label_thresholds.empty()) << "workers need be told nothing";
  EXPECT_EQ(Values(chosen), (std::vector<std::string>{"", "", "", ""}));
}

TEST_F(Choose, TakesNumbersInPlaceOfTheBundles) {
  const ChosenTags chosen = Good({.top_k = 2, .min_score = 0.4});
  EXPECT_EQ(chosen.output.top_k, 2);
  EXPECT_EQ(chosen.output.label_thresholds, std::vector<float>(5, 0.4F));
  EXPECT_EQ(Values(chosen), (std::vector<std::string>{"2", "0.4", "", ""}));
}

TEST_F(Choose, SayingWhatTheBundleSaysIsNoDifference) {
  const ChosenTags chosen = Good({.top_k = 5,
                                  .min_score = 0.1,
                                  .include_labels = File("in", "Bird\tsong\nCat\nDog\nSpeech\n"),
                                  .exclude_labels = File("out", "\n"),
                                  .thresholds = File("own", "Cat\t0.1\n")});
  EXPECT_EQ(Values(chosen), (std::vector<std::string>{"", "", "", ""}));
  EXPECT_EQ(chosen.output.label_thresholds, std::vector<float>(5, 0.1F));
}

TEST_F(Choose, IncludesAndExcludesEveryLabelOfAName) {
  EXPECT_EQ(Good({.include_labels = File("in", "Dog\n")}).output.label_thresholds,
            (std::vector<float>{kOut, 0.1F, kOut, kOut, 0.1F}));
  EXPECT_EQ(Good({.exclude_labels = File("out", "Dog\nSpeech\n")}).output.label_thresholds,
            (std::vector<float>{kOut, kOut, 0.1F, 0.1F, kOut}));
  EXPECT_EQ(
      Good({.include_labels = File("in", "Dog\nCat\n"), .exclude_labels = File("out", "Speech\n")})
          .output.label_thresholds,
      (std::vector<float>{kOut, 0.1F, 0.1F, kOut, 0.1F}));
}

TEST_F(Choose, GivesLabelsAThresholdOfTheirOwn) {
  const ChosenTags chosen =
      Good({.min_score = 0.2,
            .exclude_labels = File("out", "Cat\n"),
            .thresholds = File("own", "Bird\tsong\t-1e3\nCat\t0.7\nDog\t0.30000001\n")});
  EXPECT_EQ(chosen.output.label_thresholds, (std::vector<float>{0.2F, 0.3F, kOut, -1000.0F, 0.3F}));
  EXPECT_EQ(Values(chosen)[2].substr(0, 15), "4 of 5 labels (");
  EXPECT_EQ(Values(chosen)[3].substr(0, 15), "3 of 5 labels (");
}

TEST_F(Choose, ToleratesWhatEditorsLeaveInAFile) {
  EXPECT_EQ(Good({.include_labels = File("in",
                                         "\xEF\xBB\xBF"
                                         "Cat\r\n\r\n\nDog")})
                .output.label_thresholds,
            (std::vector<float>{kOut, 0.1F, 0.1F, kOut, 0.1F}));
  EXPECT_EQ(Good({.thresholds = File("own",
                                     "\xEF\xBB\xBF"
                                     "Cat\t0.5\r\n\r\n")})
                .output.label_thresholds[2],
            0.5F);
}

TEST_F(Choose, TellsChoicesApart) {
  const auto values = [this](const TagOptions& options) { return Values(Good(options)); };
  const TagOptions cat{.include_labels = File("cat", "Cat\n")};
  EXPECT_EQ(values(cat), values({.include_labels = File("again", "\nCat")}));
  EXPECT_EQ(values({.include_labels = File("two", "Cat\nDog\n")}),
            values({.include_labels = File("swapped", "Dog\nCat\n")}));
  EXPECT_NE(values(cat), values({.include_labels = File("bird", "Bird\tsong\n")}));
  EXPECT_NE(values({.thresholds = File("a", "Cat\t0.5\n")}),
            values({.thresholds = File("b", "Cat\t0.6\n")}));
  EXPECT_NE(values({.thresholds = File("a", "Cat\t0.5\n")}),
            values({.thresholds = File("b", "Speech\t0.5\n")}));
}

TEST_F(Choose, RefusesWithThePlaceAndWhatWasMeant) {
  EXPECT_EQ(Trouble({.include_labels = File("in", "Cat\n\nSpech\n")}),
            "line 3 of \"in\": the model has no label \"Spech\"; did you mean \"Speech\"?");
  EXPECT_EQ(Trouble({.exclude_labels = File("out", "CAT\n")}),
            "line 1 of \"out\": the model has no label \"CAT\"; did you mean \"Cat\"?");
  EXPECT_EQ(Trouble({.thresholds = File("own", "Elephant\t0.5\n")}),
            "line 1 of \"own\": the model has no label \"Elephant\"; its labels are in "
            "\"bundle/labels.txt\"");
  EXPECT_EQ(Trouble({.include_labels = File("in", "Dog\nCat\n"),
                     .exclude_labels = File("out", "\nCat\n")}),
            "\"Cat\" is both on line 2 of \"in\" and on line 2 of \"out\"; take it out of "
            "--include-labels or of --exclude-labels");
  EXPECT_EQ(Trouble({.thresholds = File("own", "Cat\t0.5\nDog 0.5\n")}),
            "line 2 of \"own\" has no tab; write label, tab, score");
  EXPECT_EQ(Trouble({.thresholds = File("own", "Cat\thalf\n")}),
            "line 1 of \"own\": \"half\" is no score; write label, tab, score, such as 0.25");
  for (const char* odd : {"", " 0.5", "nan", "inf", "1e31", "0.5 "}) {
    EXPECT_NE(Trouble({.thresholds = File("own", std::string("Cat\t") + odd + "\n")}), "") << odd;
  }
  EXPECT_EQ(Trouble({.thresholds = File("own", "Cat\t0.5\nDog\t0.1\nCat\t0.5\n")}),
            "line 3 of \"own\" has the label \"Cat\" again, after line 1; take one of them out");
  EXPECT_EQ(Trouble({.include_labels = File("in", "\n")}),
            "no label is left; \"in\" (--include-labels) names none");
  EXPECT_EQ(Trouble({.exclude_labels = File("out", "Speech\nDog\nCat\nBird\tsong\n")}),
            "no label is left; --exclude-labels names all that the model has");
  EXPECT_EQ(Trouble({.include_labels = root_.path() + "/missing"}),
            "could not open \"missing\": no such file or directory; --include-labels takes a file "
            "with one label a line");
  EXPECT_EQ(Trouble({.exclude_labels = root_.path() + "/missing"}),
            "could not open \"missing\": no such file or directory; --exclude-labels takes a file "
            "with one label a line");
  EXPECT_EQ(Trouble({.thresholds = root_.path() + "/missing"}),
            "could not open \"missing\": no such file or directory; --thresholds takes a file with "
            "label, tab, score a line");
}

TEST_F(Choose, CountsScoresForLabelsThatAreLeftOut) {
  const auto warning = [this](const TagOptions& options) {
    std::string text = Good(options).warning;
    const size_t at = text.find(root_.path() + '/');
    return at == std::string::npos ? text : text.erase(at, root_.path().size() + 1);
  };
  const std::string own = File("own", "Dog\t0.5\nCat\t0.5\n\nSpeech\t0.1\n");
  EXPECT_EQ(warning({.thresholds = own}), "");
  EXPECT_EQ(warning({.include_labels = File("in", "Cat\nDog\nSpeech\n"), .thresholds = own}), "");
  EXPECT_EQ(warning({.exclude_labels = File("out", "Cat\n"), .thresholds = own}),
            "1 score of \"own\" is for a label that is left out");
  EXPECT_EQ(warning({.include_labels = File("in", "Bird\tsong\n"), .thresholds = own}),
            "3 scores of \"own\" are for labels that are left out")
      << "a line with a label that stands twice is one score";
  EXPECT_EQ(warning({.exclude_labels = File("out", "Cat\n")}), "");
}

TEST_F(Choose, RefusesAScoreThatNoneOfTheModelReaches) {
  using Activation = OutputSpec::Activation;
  const std::string never = " is 50, and no score of this model is ever so high; ";
  for (const auto activation : {Activation::kSigmoid, Activation::kSoftmax}) {
    bundle_.manifest.output.activation = activation;
    EXPECT_EQ(Trouble({.min_score = 50}), "--min-score" + never + "its scores are from 0 to 1");
    EXPECT_EQ(Trouble({.thresholds = File("own", "Cat\t0.5\nDog\t50\n")}),
              "line 2 of \"own\": the score" + never + "its scores are from 0 to 1");
    EXPECT_EQ(Trouble({.min_score = 1}), "") << "a score may be 1";
    EXPECT_EQ(Trouble({.min_score = 1.00000001}), "") << "that is 1, as scores are compared";
    EXPECT_EQ(Trouble({.min_score = 0}), "");
  }
  bundle_.manifest.output.activation = Activation::kLogSoftmax;
  EXPECT_EQ(Trouble({.min_score = 0.5}),
            "--min-score is 0.5, and no score of this model is ever so high; its scores are "
            "logarithms of probabilities (log_softmax), 0 or less");
  EXPECT_EQ(Trouble({.min_score = -2}), "");
  bundle_.manifest.output.activation = Activation::kNone;
  EXPECT_EQ(Trouble({.min_score = 50}), "") << "what such scores are, the model knows alone";
}

TEST_F(Choose, IsForTagsAndAsFarAsThatGoesForEvents) {
  bundle_.manifest.output.kind = OutputSpec::Kind::kCtc;
  EXPECT_EQ(Trouble({}), "");
  EXPECT_NE(Trouble({.min_score = 0.5}).find("gives words"), std::string::npos);
  bundle_.manifest.output.kind = OutputSpec::Kind::kFrames;
  EXPECT_EQ(Good({.min_score = 0.5}).output.label_thresholds, std::vector<float>(5, 0.5F));
  EXPECT_NE(Trouble({.top_k = 3}).find("gives events"), std::string::npos);
}

}  // namespace
}  // namespace consort
