// From a model's raw scores to a segment's tags.
//
// Activation, then the scores that reach their label's threshold, the top_k of them by unrounded
// score, equal scores in the order of their labels' bytes. One thread uses an interpreter; calls do
// not allocate once `tags` has its capacity.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "worker/interpret/interpreter.h"

namespace consort {

class TagInterpreter : public Interpreter {
 public:
  // `output.label_thresholds` is empty or has one for each label.
  TagInterpreter(const OutputSpec& output, const std::vector<std::string>& labels);

  // `raw` has one score per label (another number is an error); fills `tags`, best first. A score
  // that is NaN or infinite is an error and leaves `tags` empty.
  Status Interpret(std::span<const float> raw, std::vector<Tag>& tags);
  Status Interpret(std::span<const float> raw, const SegmentPlace& place,
                   SegmentResult& result) override;

 private:
  OutputSpec::Activation activation_;
  size_t top_k_;
  std::vector<float> thresholds_;  // by label; infinite: never a tag
  std::vector<uint32_t> rank_;     // of each label in the order of labels' bytes
  std::vector<float> scores_;      // activated
  std::vector<uint32_t> order_;    // labels that reach their threshold
};

}  // namespace consort
