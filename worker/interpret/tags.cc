#include "worker/interpret/tags.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace consort {
namespace {

double Sigmoid(double x) {
  if (x >= 0) return 1 / (1 + std::exp(-x));
  const double e = std::exp(x);  // exp(-x) would overflow
  return e / (1 + e);
}

}  // namespace

TagInterpreter::TagInterpreter(const OutputSpec& output, const std::vector<std::string>& labels)
    : activation_(output.activation),
      top_k_(std::min(static_cast<size_t>(output.top_k), labels.size())),
      thresholds_(output.label_thresholds),
      rank_(labels.size()),
      scores_(labels.size()) {
  std::vector<uint32_t> sorted(labels.size());
  std::iota(sorted.begin(), sorted.end(), 0U);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](uint32_t a, uint32_t b) { return labels[a] < labels[b]; });
  for (size_t i = 0; i < sorted.size(); ++i) rank_[sorted[i]] = static_cast<uint32_t>(i);
  order_.reserve(labels.size());
  if (thresholds_.empty()) {
    thresholds_.assign(labels.size(), static_cast<float>(output.threshold));
  }
}

void TagInterpreter::Activate(std::span<const float> raw) {
  using Activation = OutputSpec::Activation;
  if (activation_ == Activation::kNone) {
    std::copy(raw.begin(), raw.end(), scores_.begin());
    return;
  }
  if (activation_ == Activation::kSigmoid) {
    std::transform(raw.begin(), raw.end(), scores_.begin(),
                   [](float x) { return static_cast<float>(Sigmoid(x)); });
    return;
  }
  const double most = raw.empty() ? 0 : *std::max_element(raw.begin(), raw.end());
  double sum = 0;
  for (const float x : raw) sum += std::exp(x - most);
  const double log_sum = std::log(sum);
  std::transform(raw.begin(), raw.end(), scores_.begin(), [&](float x) {
    const double log_score = x - most - log_sum;
    return static_cast<float>(activation_ == Activation::kSoftmax ? std::exp(log_score)
                                                                  : log_score);
  });
}

Status TagInterpreter::Interpret(std::span<const float> raw, std::vector<Tag>& tags) {
  tags.clear();
  if (raw.size() != scores_.size()) {
    return Error{"the model gave " + std::to_string(raw.size()) + " scores for " +
                 std::to_string(scores_.size()) + " labels"};
  }
  const auto odd =
      std::find_if_not(raw.begin(), raw.end(), [](float x) { return std::isfinite(x); });
  if (odd != raw.end()) {
    return Error{"the model's score " + std::to_string(odd - raw.begin()) + " is " +
                 (std::isnan(*odd) ? "not a number" : "infinite")};
  }
  Activate(raw);
  order_.clear();
  for (uint32_t label = 0; label < scores_.size(); ++label) {
    if (scores_[label] >= thresholds_[label]) order_.push_back(label);
  }
  const auto better = [this](uint32_t a, uint32_t b) {
    return scores_[a] != scores_[b] ? scores_[a] > scores_[b] : rank_[a] < rank_[b];
  };
  const size_t count = std::min(top_k_, order_.size());
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count),
                    order_.end(), better);
  for (size_t i = 0; i < count; ++i) tags.push_back({order_[i], scores_[order_[i]]});
  return Ok();
}

}  // namespace consort
