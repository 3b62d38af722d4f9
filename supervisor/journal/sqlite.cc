#include "supervisor/journal/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

namespace consort {
namespace {

// SQLite calls some errors of a disk (EIO, ERANGE, ENXIO) damage of the file. 0: it was none.
int ReadErrno(sqlite3* database) {
  int number = 0;
  sqlite3_file_control(database, "main", SQLITE_FCNTL_LAST_ERRNO, &number);
  sqlite3_file* log = nullptr;  // the WAL
  sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (number == 0 && log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &number);
  }
  return number == EIO || number == ERANGE || number == ENXIO ? number : 0;
}

Error Failed(sqlite3* database, const std::string& path, int code) {
  const int reason = database != nullptr ? sqlite3_system_errno(database) : 0;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return SystemError("write", path, reason == EDQUOT ? EDQUOT : ENOSPC);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      if (reason != 0) return SystemError("use the journal", path, reason);
      break;
    case SQLITE_CORRUPT:
      if (const int number = ReadErrno(database)) {
        return SystemError("use the journal", path, number);
      }
      break;
    default:
      break;
  }
  const char* words = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  return Error{"could not use the journal \"" + path + "\": " + words};
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      path_(other.path_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Result<bool> Statement::Step() {
  // The database's own words are gone by now, if another value was taken since.
  if (bound_ != SQLITE_OK) return Failed(nullptr, *path_, bound_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failed(database_, *path_, code);
}

Status Statement::Run() {
  CONSORT_TRY([[maybe_unused]] const bool row, Step());
  Reset();
  return Ok();
}

void Statement::Reset() { sqlite3_reset(statement_); }

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Real(int column) const { return sqlite3_column_double(statement_, column); }
std::string_view Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

void Statement::Bound(int code) {
  if (bound_ == SQLITE_OK) bound_ = code;
}
void Statement::Bind(int at, int64_t value) { Bound(sqlite3_bind_int64(statement_, at, value)); }
void Statement::Bind(int at, double value) { Bound(sqlite3_bind_double(statement_, at, value)); }
void Statement::BindNull(int at) { Bound(sqlite3_bind_null(statement_, at)); }
void Statement::Bind(int at, std::string_view value) {
  Bound(sqlite3_bind_text64(statement_, at, value.data() == nullptr ? "" : value.data(),
                            value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
Database::~Database() = default;

Result<Database> Database::Open(const std::string& path, Mode mode) {
  Database made;
  made.path_ = std::make_unique<std::string>(path);
  sqlite3* database = nullptr;
  const int flags =
      mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  // "./": a name that begins with "file:" or ":" is a name like any other.
  const std::string name = path.starts_with('/') ? path : "./" + path;
  const int code = sqlite3_open_v2(name.c_str(), &database, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  made.database_.reset(database);
  if (code != SQLITE_OK) return Failed(database, path, code);
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, 2000);  // a reader that recovers the WAL, for a moment
  return made;
}

Status Database::Run(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Ok() : Status(Failed(database_.get(), *path_, code));
}

Result<Statement> Database::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  if (code != SQLITE_OK) return Failed(database_.get(), *path_, code);
  return Statement(database_.get(), path_.get(), statement);
}

Result<int64_t> Database::Number(const char* sql) {
  CONSORT_TRY(auto statement, Prepare(sql));
  CONSORT_TRY(const bool row, statement.Step());
  return row ? statement.Int(0) : 0;
}

bool Database::busy() const { return (sqlite3_errcode(database_.get()) & 0xff) == SQLITE_BUSY; }

bool Database::damaged() const {
  const int code = sqlite3_errcode(database_.get()) & 0xff;
  return code == SQLITE_NOTADB || (code == SQLITE_CORRUPT && ReadErrno(database_.get()) == 0);
}

void Database::LeaveAsItIs() {
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace consort
