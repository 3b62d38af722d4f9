// What of a model's scores becomes tags, or makes events: as the bundle says, or as the run does
// (--top-k, --min-score, --include-labels, --exclude-labels, --thresholds).
//
// The files are read here, once, and held against the bundle's labels; workers get numbers
// (shared/bundle/tag_choice.h). What results depend on is part of the job's identity.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/bundle/bundle.h"
#include "supervisor/cli/options.h"
#include "supervisor/journal/identity.h"

namespace consort {

struct ChosenTags {
  OutputSpec output;  // the bundle's; if any option is given, with a threshold for each label
  // What differs from the bundle, which has a part of its own. Options that say what the bundle
  // says are no difference: their values are empty, as they are where none is given.
  Identity identity;
  // Of scores in --thresholds for labels that are left out; empty: there are none.
  std::string warning;
};

// Errors name file and line: of a label that the model has not, or that is to be both in and out.
Result<ChosenTags> ChooseTags(const TagOptions& options, const Bundle& bundle);

}  // namespace consort
