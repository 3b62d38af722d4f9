#include "supervisor/choose/choose_tags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "shared/bundle/sha256.h"
#include "supervisor/choose/label_file.h"
#include "supervisor/view/number.h"

namespace consort {
namespace {

constexpr float kLeftOut = std::numeric_limits<float>::infinity();
constexpr double kMostScore = 1e30;  // as a manifest's threshold

// The shortest that is this float and no other.
std::string Shortest(float value) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  return {text, end};
}

class Choice {
 public:
  Choice(const TagOptions& options, const Bundle& bundle)
      : options_(options), bundle_(bundle), index_(bundle), output_(bundle.manifest.output) {}

  Status Make() {
    output_.top_k = options_.top_k.value_or(output_.top_k);
    if (options_.min_score) {
      CONSORT_TRY(CheckInReach(static_cast<float>(*options_.min_score), "--min-score"));
    }
    output_.threshold = options_.min_score.value_or(output_.threshold);
    base_ = static_cast<float>(output_.threshold);
    output_.label_thresholds.assign(bundle_.labels.size(), base_);
    CONSORT_TRY(TakeThresholds());
    return TakeLabels();
  }

  OutputSpec output() const { return output_; }
  // A score for a label that is left out counts for nothing; one file of scores may serve several
  // choices of labels. Empty: there is none.
  std::string Unused() const {
    size_t lines = 0;
    for (const auto& places : own_) {
      const auto left_out = [this](size_t i) { return output_.label_thresholds[i] == kLeftOut; };
      lines += std::ranges::all_of(places, left_out) ? 1 : 0;
    }
    if (lines == 0) return "";
    return Counted(static_cast<int64_t>(lines), "score") + " of \"" + options_.thresholds +
           (lines == 1 ? "\" is for a label that is left out"
                       : "\" are for labels that are left out");
  }
  std::string ValueOfTopK() const {
    return output_.top_k == bundle_.manifest.output.top_k ? "" : std::to_string(output_.top_k);
  }
  std::string ValueOfMinScore() const {
    return base_ == static_cast<float>(bundle_.manifest.output.threshold) ? "" : Shortest(base_);
  }
  std::string ValueOfLabels() const {
    std::string names;
    size_t count = 0;
    for (size_t i = 0; i < bundle_.labels.size(); ++i) {
      if (output_.label_thresholds[i] == kLeftOut) continue;
      names += bundle_.labels[i] + '\n';
      ++count;
    }
    return count == bundle_.labels.size() ? "" : Told(count, names);
  }
  std::string ValueOfThresholds() const {
    std::string scores;
    size_t count = 0;
    for (size_t i = 0; i < bundle_.labels.size(); ++i) {
      const float threshold = output_.label_thresholds[i];
      if (threshold == kLeftOut || threshold == base_) continue;
      scores += bundle_.labels[i] + '\t' + Shortest(threshold) + '\n';
      ++count;
    }
    return count == 0 ? "" : Told(count, scores);
  }

 private:
  // By place: the line that names it, if one does.
  using Named = std::vector<std::optional<size_t>>;

  // How many, for people; which, by a hash.
  std::string Told(size_t count, const std::string& which) const {
    constexpr size_t kDigits = 16;
    return std::to_string(count) + " of " + std::to_string(bundle_.labels.size()) + " labels (" +
           Sha256OfText(which).substr(0, kDigits) + ')';
  }

  // A threshold that no score of this model ever reaches is a slip: of percent, mostly.
  Status CheckInReach(float score, const std::string& where) const {
    using Activation = OutputSpec::Activation;
    const bool logarithms = output_.activation == Activation::kLogSoftmax;
    if (output_.activation == Activation::kNone || score <= (logarithms ? 0 : 1)) return Ok();
    return Error{where + " is " + Shortest(score) + ", and no score of this model is ever so high",
                 logarithms ? "its scores are logarithms of probabilities (log_softmax), 0 or less"
                            : "its scores are from 0 to 1"};
  }

  Status TakeThresholds() {
    const std::string& path = options_.thresholds;
    if (path.empty()) return Ok();
    CONSORT_TRY(const auto lines,
                ReadLabelLines(path, "--thresholds takes a file with label, tab, score a line"));
    std::map<std::string, size_t> seen;
    for (const auto& line : lines) {
      const size_t tab = line.text.rfind('\t');
      if (tab == std::string::npos) {
        return Error{LineOf(line, path) + " has no tab", "write label, tab, score"};
      }
      const std::string label = line.text.substr(0, tab);
      CONSORT_TRY(const auto places, index_.Find(label, line, path));
      CONSORT_TRY(const float score, ScoreOf(line, tab + 1));
      const auto [before, first] = seen.emplace(label, line.line);
      if (!first) {
        return Error{LineOf(line, path) + " has the label \"" + label + "\" again, after line " +
                         std::to_string(before->second),
                     "take one of them out"};
      }
      CONSORT_TRY(CheckInReach(score, LineOf(line, path) + ": the score"));
      for (const size_t place : places) output_.label_thresholds[place] = score;
      own_.emplace_back(places.begin(), places.end());
    }
    return Ok();
  }

  Result<float> ScoreOf(const LabelLine& line, size_t at) const {
    double score = 0;
    const char* begin = line.text.data() + at;
    const char* end = line.text.data() + line.text.size();
    const auto [stop, error] = std::from_chars(begin, end, score);
    if (error == std::errc() && stop == end && std::abs(score) <= kMostScore) {
      return static_cast<float>(score);
    }
    return Error{
        LineOf(line, options_.thresholds) + ": \"" + line.text.substr(at) + "\" is no score",
        "write label, tab, score, such as 0.25"};
  }

  Result<Named> ReadNamed(const std::string& path, const char* option) const {
    Named named(bundle_.labels.size());
    if (path.empty()) return named;
    CONSORT_TRY(const auto lines,
                ReadLabelLines(path, std::string(option) + " takes a file with one label a line"));
    for (const auto& line : lines) {
      CONSORT_TRY(const auto places, index_.Find(line.text, line, path));
      for (const size_t place : places) named[place] = line.line;
    }
    return named;
  }

  Status TakeLabels() {
    const std::string& include = options_.include_labels;
    const std::string& exclude = options_.exclude_labels;
    CONSORT_TRY(const Named in, ReadNamed(include, "--include-labels"));
    CONSORT_TRY(const Named out, ReadNamed(exclude, "--exclude-labels"));
    bool any = false;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i] && out[i]) {
        return Error{'"' + bundle_.labels[i] + "\" is both on line " + std::to_string(*in[i]) +
                         " of \"" + include + "\" and on line " + std::to_string(*out[i]) +
                         " of \"" + exclude + '"',
                     "take it out of --include-labels or of --exclude-labels"};
      }
      if (out[i] || (!include.empty() && !in[i])) output_.label_thresholds[i] = kLeftOut;
      any = any || output_.label_thresholds[i] != kLeftOut;
    }
    if (any) return Ok();
    return Error{"no label is left", include.empty()
                                         ? "--exclude-labels names all that the model has"
                                         : '"' + include + "\" (--include-labels) names none"};
  }

  const TagOptions& options_;
  const Bundle& bundle_;
  LabelIndex index_;
  std::vector<std::vector<size_t>> own_;  // of each line of --thresholds: its label's places
  OutputSpec output_;
  float base_ = 0;  // threshold of labels that have none of their own
};

}  // namespace

Result<ChosenTags> ChooseTags(const TagOptions& options, const Bundle& bundle) {
  const OutputSpec& said = bundle.manifest.output;
  const std::string who = "bundle \"" + bundle.folder + "\" ";
  if (options.any() && said.kind == OutputSpec::Kind::kCtc) {
    return Error{who +
                     "gives words: --top-k, --min-score, --thresholds, --include-labels and "
                     "--exclude-labels choose among tags and events",
                 "leave them out"};
  }
  if (options.top_k && said.kind == OutputSpec::Kind::kFrames) {
    return Error{who + "gives events: --top-k chooses among the tags of a segment",
                 "leave it out, or raise --min-score"};
  }
  Choice choice(options, bundle);
  CONSORT_TRY(choice.Make());
  const auto part = [](const char* key, std::string value, const char* words,
                       std::string when_empty) {
    return IdentityPart{
        .key = key, .value = std::move(value), .words = words, .when_empty = std::move(when_empty)};
  };
  ChosenTags chosen;
  chosen.output = options.any() ? choice.output() : said;
  chosen.warning = choice.Unused();
  chosen.identity = {
      part("top_k", choice.ValueOfTopK(), "--top-k", "the bundle's " + std::to_string(said.top_k)),
      part("min_score", choice.ValueOfMinScore(), "--min-score",
           "the bundle's " + Shortest(static_cast<float>(said.threshold))),
      part("labels", choice.ValueOfLabels(), "what --include-labels and --exclude-labels leave",
           "all labels"),
      part("thresholds", choice.ValueOfThresholds(), "what --thresholds says", "nothing"),
  };
  return chosen;
}

}  // namespace consort
