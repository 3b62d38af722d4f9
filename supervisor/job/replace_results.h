// --retry-failed: the lines of some files are put in the places of their old ones.
//
//   new results written beside, synced ─▶ the journal promises (one transaction) ─▶ renamed over
//   the old ones, folder synced ─▶ the journal has the new rows (one transaction)
//
// Killed before the promise: the old results stand, the new ones are litter, which an error or a
// stop takes away itself. After it: whoever opens the job next keeps the promise first.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/journal/journal.h"

namespace consort {

// `rows`, in order of files, are what became of files that the journal has as failed; their lines,
// one file after another, are the content of `lines_path`. `quarantined` is what of them was.
// Returns 0, or the number of a signal that asked for the end before the promise was made.
Result<int> ReplaceResults(Journal& journal, const std::string& output,
                           const std::string& lines_path, const std::vector<FileRow>& rows,
                           const std::vector<QuarantineRow>& quarantined, const JobTotals& totals);

// Keeps a promise, or removes what was left without one.
Status FinishReplacing(Journal& journal, const std::string& output);

}  // namespace consort
