// What stands in a bundle's place where files are opened and nothing is asked of a model.
#pragma once

#include <cstdint>

#include "shared/bundle/bundle.h"

namespace consort {

// For a model that hears at `rate` Hz. A file is one segment, however long it is: the same on both
// sides of a channel.
Bundle CheckBundle(int32_t rate);

}  // namespace consort
