// The stages an engine goes through for a segment, in order. The numbers are part of the channel.
#pragma once

#include <cstdint>

namespace consort {

enum class Stage : uint32_t {
  kWaiting = 0,   // no task, or no room for a result
  kValidate = 1,  // open the file, read its header
  kRead = 2,      // decode, mix to one channel
  kResample = 3,
  kFeatures = 4,
  kForward = 5,  // the model
  kPost = 6,     // scores to tags, publish
};
inline constexpr uint32_t kStageCount = 7;

inline const char* StageName(Stage stage) {
  switch (stage) {
    case Stage::kWaiting:
      return "waiting";
    case Stage::kValidate:
      return "validate";
    case Stage::kRead:
      return "read";
    case Stage::kResample:
      return "resample";
    case Stage::kFeatures:
      return "features";
    case Stage::kForward:
      return "forward";
    case Stage::kPost:
      return "post";
  }
  return "unknown";
}

}  // namespace consort
