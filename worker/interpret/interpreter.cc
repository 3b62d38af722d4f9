#include "worker/interpret/interpreter.h"

#include "worker/interpret/ctc.h"
#include "worker/interpret/frames.h"
#include "worker/interpret/tags.h"

namespace consort {

std::unique_ptr<Interpreter> MakeInterpreter(const Manifest& manifest,
                                             const std::vector<std::string>& labels) {
  switch (manifest.output.kind) {
    case OutputSpec::Kind::kTags:
      break;
    case OutputSpec::Kind::kFrames:
      return std::make_unique<FrameInterpreter>(manifest, labels.size());
    case OutputSpec::Kind::kCtc:
      return std::make_unique<CtcInterpreter>(
          manifest, labels.size(),
          std::make_unique<GreedyDecoder>(static_cast<uint32_t>(manifest.output.blank)));
  }
  return std::make_unique<TagInterpreter>(manifest.output, labels);
}

}  // namespace consort
