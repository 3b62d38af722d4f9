#include "supervisor/join/line_joiner.h"

#include "supervisor/join/channels_joiner.h"
#include "supervisor/join/events.h"
#include "supervisor/join/words.h"

namespace consort {
namespace {

// `labels` as all of a file's joiners share them.
template <typename Joiner, typename Labels>
std::unique_ptr<LineJoiner> Joined(const Manifest& manifest,
                                   const std::vector<std::string>& labels) {
  return std::make_unique<ChannelsJoiner>(
      manifest, labels.size(), [manifest, shared = std::make_shared<const Labels>(labels)] {
        return std::make_unique<Joiner>(manifest, shared);
      });
}

}  // namespace

std::unique_ptr<LineJoiner> MakeLineJoiner(const Manifest& manifest,
                                           const std::vector<std::string>& labels) {
  switch (manifest.output.kind) {
    case OutputSpec::Kind::kTags:
      break;
    case OutputSpec::Kind::kFrames:
      return Joined<EventJoiner, EventLabels>(manifest, labels);
    case OutputSpec::Kind::kCtc:
      return Joined<WordJoiner, std::vector<std::string>>(manifest, labels);
  }
  return nullptr;
}

}  // namespace consort
