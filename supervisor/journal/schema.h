// The journal's tables, and whether a database is a journal. docs/jobs.md explains the columns.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "supervisor/journal/sqlite.h"

namespace consort {

// 3: what a joiner holds back of the head. A journal of version 2 has none, and is made one of 3.
inline constexpr int kJournalVersion = 3;
inline constexpr int kOldestJournalVersion = 2;

// Ok for an empty database and for a journal of a version that can be read. `in_use`: set if
// another process has it for itself, so that nobody knows.
Status CheckSchema(Database& database, const std::string& path, bool* in_use = nullptr);
// Makes what is missing.
Status MakeSchema(Database& database);

}  // namespace consort
