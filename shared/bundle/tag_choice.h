// What of a model's scores becomes tags, where a run chooses other than the bundle: its top_k, and
// a threshold for each label. On its way from the supervisor, which has read the person's files, to
// templates, which open none: sealed memory that they inherit.
//
//   u32 version | i64 top_k | u32 labels | f32 threshold of each
#pragma once

#include <cstddef>

#include "shared/base/result.h"
#include "shared/base/unique_fd.h"
#include "shared/bundle/manifest.h"

namespace consort {

// `output` has a threshold for each label.
Result<UniqueFd> SealTagChoice(const OutputSpec& output);

// Into `output`, for a model of so many labels. Fails if it is for another, or makes no sense.
Status ReadTagChoice(int fd, size_t labels, OutputSpec& output);

}  // namespace consort
