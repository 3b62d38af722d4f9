// JOB/quarantine.jsonl: the journal's table `quarantine` as a file, for people and programs.
//
// The journal is what counts: a line is in it before it is in the file, and whoever opens the
// journal next writes the file anew, whole or not at all. So whatever ends a supervisor between the
// two, no line stays away for long and none is there twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "supervisor/journal/sqlite.h"

namespace consort {

struct QuarantineRow {
  uint64_t file = 0;
  uint64_t segment = 0;
  std::string line;  // see output/quarantine_line.h
};

// The whole table, in order of files and segments; no file if it is empty.
Status RewriteQuarantine(Database& database, const std::string& folder);
// Rows that the journal has since a moment ago.
Status AppendToQuarantine(const std::vector<QuarantineRow>& rows, const std::string& folder);

}  // namespace consort
