// How the list of a job differs from the one that it was begun with.
#pragma once

#include "shared/base/result.h"
#include "supervisor/plan/list.h"

namespace consort {

enum class ListChange { kNone, kGrown };

// Reads both from where they are to the end. Same names and same files (paths, from the folder that
// they start from) in the same order, possibly more at the end. Any other change is an error that
// tells the first difference. Memory does not grow with the lists.
Result<ListChange> CompareLists(FileList& was, FileList& now);

}  // namespace consort
