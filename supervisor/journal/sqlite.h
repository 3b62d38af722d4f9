// SQLite's C interface as values: a database, statements, errors as Result.
//
// POSIX locks die when *any* descriptor on the database file is closed in this process: nobody else
// may open it here, not even to copy or to hash it. One thread. Statements are made before and
// finalized before their database; no process may be forked (without exec) while one is running.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace consort {

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  ~Statement();

  // Values by position, from the first parameter on; then Step. One that SQLite does not take (a
  // text beyond its limit of a gigabyte) is an error there: NULL in its place would go unnoticed.
  template <typename... Values>
  Statement& With(const Values&... values) {
    Reset();
    bound_ = 0;
    int at = 0;
    (Bind(++at, values), ...);
    return *this;
  }
  // True: a row is there. What texts and blobs were bound must live until the next Reset.
  Result<bool> Step();
  // For what returns no rows.
  Status Run();
  void Reset();

  bool IsNull(int column) const;
  int64_t Int(int column) const;
  uint64_t Unsigned(int column) const { return static_cast<uint64_t>(Int(column)); }
  double Real(int column) const;
  std::string_view Text(int column) const;  // valid until the next Step

 private:
  friend class Database;
  Statement(sqlite3* database, const std::string* path, sqlite3_stmt* statement)
      : database_(database), path_(path), statement_(statement) {}
  // SQLite's code for a value; the first that is not 0 (SQLITE_OK) is kept.
  void Bound(int code);
  void Bind(int at, int64_t value);
  void Bind(int at, uint64_t value) { Bind(at, static_cast<int64_t>(value)); }
  void Bind(int at, int value) { Bind(at, int64_t{value}); }
  void Bind(int at, uint32_t value) { Bind(at, int64_t{value}); }
  void Bind(int at, bool value) { Bind(at, int64_t{value}); }
  void Bind(int at, double value);
  void Bind(int at, std::string_view value);
  void Bind(int at, const std::string& value) { Bind(at, std::string_view(value)); }
  void BindNull(int at);
  template <typename Value>
  void Bind(int at, const std::optional<Value>& value) {
    value ? Bind(at, *value) : BindNull(at);
  }

  sqlite3* database_;
  const std::string* path_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

class Database {
 public:
  enum class Mode { kReadWrite, kReadOnly };
  // Made if it is not there and may be written.
  static Result<Database> Open(const std::string& path, Mode mode);
  Database(Database&& other) noexcept = default;
  ~Database();

  // Any number of statements that return no rows.
  Status Run(const char* sql);
  Result<Statement> Prepare(const char* sql);
  // The one number that `sql` returns.
  Result<int64_t> Number(const char* sql);
  // Of the last call, which failed: another process has the database for itself.
  bool busy() const;
  // Likewise: what is in the file is no database, or a damaged one.
  bool damaged() const;
  // After an error: closing writes and syncs nothing more, since nobody knows what the disk holds.
  void LeaveAsItIs();

 private:
  Database() = default;
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<std::string> path_;  // statements point to it
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace consort
