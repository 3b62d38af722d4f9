// Frames to tokens, for models trained with connectionist temporal classification (Graves et al.,
// 2006): a token is a run of frames in which it is the best one; a blank one separates two tokens
// that are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/interpret/frame_rows.h"
#include "worker/interpret/interpreter.h"

namespace consort {

// Which tokens are heard, and when. It is given all of a segment, also what lies around its own
// frames, so that a decoder may look further than a frame.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // `rows` are probabilities. Appends the runs of tokens in the frames `own`, in order of time,
  // with `first` counted from own.first.
  virtual void Decode(const FrameRows& rows, const FrameGrid::Part& own,
                      std::vector<FrameRun>& runs) = 0;
};

// In each frame the most probable token; of equal ones the first.
class GreedyDecoder : public Decoder {
 public:
  explicit GreedyDecoder(uint32_t blank) : blank_(blank) {}
  void Decode(const FrameRows& rows, const FrameGrid::Part& own,
              std::vector<FrameRun>& runs) override;

 private:
  uint32_t blank_;
};

class CtcInterpreter : public Interpreter {
 public:
  CtcInterpreter(const Manifest& manifest, size_t labels, std::unique_ptr<Decoder> decoder);

  Status Interpret(std::span<const float> raw, const SegmentPlace& place,
                   SegmentResult& result) override;

 private:
  FrameGrid grid_;
  FrameRows rows_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace consort
