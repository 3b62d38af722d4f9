#include "supervisor/journal/schema.h"

namespace consort {
namespace {

constexpr int64_t kApplicationId = 0x434e5354;  // "CNST"

constexpr const char* kTables = R"(
PRAGMA application_id = 1129206612;
PRAGMA user_version = 3;
CREATE TABLE IF NOT EXISTS job (
  id INTEGER PRIMARY KEY CHECK (id = 1), begun INTEGER, switching INTEGER, entries INTEGER,
  bytes INTEGER, head INTEGER, head_segment INTEGER, head_bytes INTEGER, files_done INTEGER,
  segments INTEGER, audio_seconds REAL, elapsed_ns INTEGER, stage_ns BLOB,
  workers_crashed INTEGER, workers_killed INTEGER, templates_crashed INTEGER,
  templates_killed INTEGER, idle_starts INTEGER, anew INTEGER, workers_replaced INTEGER);
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS files (
  file INTEGER PRIMARY KEY, size INTEGER, mtime_ns INTEGER, samples INTEGER, rate INTEGER,
  alignment INTEGER, segments INTEGER, bytes INTEGER, code INTEGER, error TEXT, tail INTEGER);
CREATE INDEX IF NOT EXISTS failed ON files (code) WHERE code IS NOT NULL;
CREATE TABLE IF NOT EXISTS open_files (
  file INTEGER PRIMARY KEY, size INTEGER, mtime_ns INTEGER, samples INTEGER, rate INTEGER,
  alignment INTEGER, crashed INTEGER, crash_line TEXT, fault_segment INTEGER,
  fault_sample INTEGER, fault_code INTEGER, fault_message TEXT);
CREATE TABLE IF NOT EXISTS ahead (
  file INTEGER, first INTEGER, count INTEGER, text TEXT, PRIMARY KEY (file, first));
CREATE TABLE IF NOT EXISTS suspects (
  file INTEGER, segment INTEGER, deaths INTEGER, together INTEGER);
CREATE TABLE IF NOT EXISTS in_hand (file INTEGER, segment INTEGER);
CREATE TABLE IF NOT EXISTS quarantine (
  file INTEGER, segment INTEGER, line TEXT, PRIMARY KEY (file, segment));
CREATE TABLE IF NOT EXISTS quarantine_next (
  file INTEGER, segment INTEGER, line TEXT, PRIMARY KEY (file, segment));
CREATE TABLE IF NOT EXISTS files_next (
  file INTEGER PRIMARY KEY, size INTEGER, mtime_ns INTEGER, samples INTEGER, rate INTEGER,
  alignment INTEGER, segments INTEGER, bytes INTEGER, code INTEGER, error TEXT, tail INTEGER);
CREATE TABLE IF NOT EXISTS joiner (state BLOB);
CREATE TABLE IF NOT EXISTS totals_next (
  bytes INTEGER, segments INTEGER, audio_seconds REAL, elapsed_ns INTEGER);
)";
static_assert(kApplicationId == 1129206612);

// Of jobs that hear channels one by one, so of none that an older consort could go on with: it is
// no reason for another version.
constexpr const char* kChannels =
    "CREATE TABLE IF NOT EXISTS channels (file INTEGER PRIMARY KEY, channels INTEGER);";

}  // namespace

Status CheckSchema(Database& database, const std::string& path, bool* in_use) {
  const auto refuse = [&path](const std::string& what) {
    return Error{"\"" + path + "\" " + what,
                 "name another folder with --job, or begin anew with --restart"};
  };
  // Only what is in the file is a reason to begin anew: a lock, a disk's error and a want of memory
  // pass, and the job is there still.
  const auto unread = [&](const Error& error) {
    if (in_use != nullptr) *in_use = database.busy();
    if (database.busy()) {
      return Error{"\"" + path + "\" is in use by another process, perhaps on another machine",
                   "try again once that is done"};
    }
    return database.damaged() ? refuse("cannot be read as a journal (" + error.what + ")") : error;
  };
  const auto application = database.Number("PRAGMA application_id");
  if (!application) return unread(application.error());
  const auto version = database.Number("PRAGMA user_version");
  if (!version) return unread(version.error());
  const auto tables = database.Number("SELECT COUNT(*) FROM sqlite_schema");
  if (!tables) return unread(tables.error());
  if (application.value() == 0 && version.value() == 0 && tables.value() == 0) return Ok();
  if (application.value() != kApplicationId) return refuse("is no journal of consort");
  if (version.value() < kOldestJournalVersion || version.value() > kJournalVersion) {
    return refuse("is a journal of version " + std::to_string(version.value()) +
                  ", which this consort cannot read");
  }
  return Ok();
}

Status MakeSchema(Database& database) {
  CONSORT_TRY(const int64_t version, database.Number("PRAGMA user_version"));
  if (version == kJournalVersion) return database.Run(kChannels);
  return database.Run((std::string("BEGIN IMMEDIATE;") + kTables + kChannels + "COMMIT;").c_str());
}

}  // namespace consort
