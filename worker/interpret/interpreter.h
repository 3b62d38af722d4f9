// From a model's answer for a segment to what the engine publishes of it. One implementation for
// each kind of output, made by MakeInterpreter.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/bundle/manifest.h"
#include "shared/record/result.h"

namespace consort {

// Which segment of which file. Outputs with frames need it: a frame is taken from one segment only.
struct SegmentPlace {
  int64_t segment = 0;
  int64_t segments = 1;     // of the file
  int64_t samples = 0;      // of the file, at
  int32_t sample_rate = 0;  // Hz
};

// One thread uses an interpreter.
class Interpreter {
 public:
  virtual ~Interpreter() = default;

  // `raw` is the model's answer: a score for each label, of outputs in frames that for each frame,
  // row by row. Another number is an error, and so is a score that is NaN or infinite. Fills what
  // the segment has to tell; the rest of `result` is not touched if it is of the right kind
  // already. After an error `result` may hold anything.
  virtual Status Interpret(std::span<const float> raw, const SegmentPlace& place,
                           SegmentResult& result) = 0;
};

std::unique_ptr<Interpreter> MakeInterpreter(const Manifest& manifest,
                                             const std::vector<std::string>& labels);

}  // namespace consort
