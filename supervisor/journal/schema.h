// The journal's tables, and whether a database is a journal. docs/jobs.md explains the columns.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "supervisor/journal/sqlite.h"

namespace consort {

inline constexpr int kJournalVersion = 2;

// Ok for an empty database and for a journal of this version.
Status CheckSchema(Database& database, const std::string& path);
// Makes what is missing.
Status MakeSchema(Database& database);

}  // namespace consort
