#include "worker/interpret/tags.h"

#include <algorithm>

#include "shared/bundle/labels.h"
#include "worker/interpret/activation.h"

namespace consort {

TagInterpreter::TagInterpreter(const OutputSpec& output, const std::vector<std::string>& labels)
    : activation_(output.activation),
      top_k_(std::min(static_cast<size_t>(output.top_k), labels.size())),
      thresholds_(output.label_thresholds),
      rank_(RanksByBytes(labels)),
      scores_(labels.size()) {
  order_.reserve(labels.size());
  if (thresholds_.empty()) {
    thresholds_.assign(labels.size(), static_cast<float>(output.threshold));
  }
}

Status TagInterpreter::Interpret(std::span<const float> raw, const SegmentPlace& /*place*/,
                                 SegmentResult& result) {
  if (!std::holds_alternative<SegmentTags>(result)) result = SegmentTags{};
  return Interpret(raw, std::get<SegmentTags>(result).tags);
}

Status TagInterpreter::Interpret(std::span<const float> raw, std::vector<Tag>& tags) {
  tags.clear();
  if (raw.size() != scores_.size()) {
    return Error{"the model gave " + std::to_string(raw.size()) + " scores for " +
                 std::to_string(scores_.size()) + " labels"};
  }
  CONSORT_TRY(CheckFinite(raw));
  Activate(activation_, raw, scores_);
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
