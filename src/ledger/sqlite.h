// A thin layer over libsqlite3: a connection and a statement that close themselves and report errors as
// Results.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.h"

struct sqlite3;
struct sqlite3_stmt;

namespace cairn::ledger::sqlite {

class Connection;

// A statement being run. Bind the parameters from 1, step until it returns false, read columns from 0.
class Query {
 public:
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;
  ~Query();

  Query& bind(int parameter, uint64_t value);  // precondition: below 2^63
  Query& bind(int parameter, BytesView bytes);
  Result<bool> step();  // whether there is a row
  Status run();         // to the end

  // Refused where the column has another type or is larger: the file is damaged or foreign.
  Result<uint64_t> integer(int column) const;
  Result<Bytes> blob(int column, size_t max_size) const;
  std::string text(int column) const;

 private:
  friend class Connection;
  Query(const Connection* connection, sqlite3_stmt* statement)
      : connection_(connection), statement_(statement) {}

  const Connection* connection_;
  sqlite3_stmt* statement_;
};

enum class Mode {
  open,
  create,
  read,    // of a file that others may write, or a killed process has left
  frozen,  // of one that nobody can write and that has no write-ahead log: needs no lock, leaves no trace
};

class Connection {
 public:
  // `vfs` names SQLite's interface to the disk; null is the usual one. A lock is waited for so many
  // milliseconds.
  static Result<Connection> open(const std::filesystem::path& path, Mode mode, const char* vfs, int wait_ms);

  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  Result<Query> prepare(const char* sql) const;
  Status run(const char* sql) const;                // one statement without parameters
  Result<std::string> text(const char* sql) const;  // the first column of the first row
  Result<uint64_t> integer(const char* sql) const;

  bool in_transaction() const;
  bool sync_failed() const;  // the last error was of fsync
  const std::string& name() const { return name_; }
  Error damaged(const std::string& what) const;
  Error last_error() const;  // in words that say what to do

 private:
  Connection(sqlite3* handle, std::string name) : handle_(handle), name_(std::move(name)) {}

  sqlite3* handle_;
  std::string name_;
};

}  // namespace cairn::ledger::sqlite
