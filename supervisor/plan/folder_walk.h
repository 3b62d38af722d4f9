// Finds the audio files below a folder, in bytewise order of their relative paths.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "supervisor/plan/list.h"

namespace consort {

// Adds `folder` + "/" + inner path for each. A folder further down that cannot be read is a
// warning; `folder` itself is an error. No descriptor is held while a folder below is walked.
Status WalkFolder(const std::string& folder, ListSpooler& spooler);

}  // namespace consort
