#include "shared/bundle/check_bundle.h"

namespace consort {

Bundle CheckBundle(int32_t rate) {
  constexpr int64_t kWholeFile = int64_t{1} << 62;  // ns: 146 years
  Bundle bundle;
  bundle.manifest.audio.sample_rate = rate;
  bundle.manifest.audio.segment_ns = kWholeFile;
  bundle.manifest.audio.hop_ns = kWholeFile;
  bundle.manifest.prepared.backend = Prepared::Backend::kCheck;
  return bundle;
}

}  // namespace consort
