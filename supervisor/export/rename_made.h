// The last step of what is made beside its place: a file, or a folder.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace consort {

// Gives what is called `made` the name `path`, and syncs the folder that it is in. `made` is empty
// from the moment on at which it has its place, also if the sync then fails.
Status RenameMade(std::string& made, const std::string& path);

}  // namespace consort
