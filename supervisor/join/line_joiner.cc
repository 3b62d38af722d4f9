#include "supervisor/join/line_joiner.h"

#include "supervisor/join/events.h"
#include "supervisor/join/words.h"

namespace consort {

std::unique_ptr<LineJoiner> MakeLineJoiner(const Manifest& manifest,
                                           const std::vector<std::string>& labels) {
  switch (manifest.output.kind) {
    case OutputSpec::Kind::kTags:
      break;
    case OutputSpec::Kind::kFrames:
      return std::make_unique<EventJoiner>(manifest, labels);
    case OutputSpec::Kind::kCtc:
      return std::make_unique<WordJoiner>(manifest, labels);
  }
  return nullptr;
}

}  // namespace consort
