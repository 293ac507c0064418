#include "ledger/sqlite.h"

#include <sqlite3.h>

#include <utility>

namespace cairn::ledger::sqlite {
namespace {

constexpr int kMaxRowSize = 4 << 20;

std::string advice(int code, const char* message) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "the disk is full; free some space and try again";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process has been writing to it for too long; try again later";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
      return std::string("is damaged or no ledger (") + message + "); restore it from a copy";
    case SQLITE_CANTOPEN:
      return "cannot be opened: it is missing, or its folder is not writable; copy the folder to where it is";
    case SQLITE_READONLY:
      return "cannot be written; check the permissions of the file and its folder";
    default:
      return std::string("the disk failed (") + message + ")";
  }
}

int open_flags(Mode mode) {
  switch (mode) {
    case Mode::open:
      return SQLITE_OPEN_READWRITE;
    case Mode::create:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case Mode::read:
    case Mode::frozen:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
  }
  return 0;
}

// SQLite's name for the file; only a URI can say that it is frozen.
std::string file_name(const std::filesystem::path& path, Mode mode) {
  if (mode == Mode::open || mode == Mode::create) return path.string();
  constexpr std::string_view kPlain = "/-_.~";
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      const Bytes byte = {static_cast<uint8_t>(c)};
      uri.append("%").append(to_hex(byte));
    }
  }
  return uri + (mode == Mode::frozen ? "?immutable=1" : "");
}

// No trigger, view or function that a foreign file may bring is ever run.
void harden(sqlite3* handle) {
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kMaxRowSize);
  sqlite3_extended_result_codes(handle, 1);
}

}  // namespace

Query::Query(Query&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}

Query::~Query() {
  sqlite3_finalize(statement_);
}

Query& Query::bind(int parameter, uint64_t value) {
  CAIRN_ASSERT(value <= INT64_MAX);
  CAIRN_ASSERT(sqlite3_bind_int64(statement_, parameter, static_cast<int64_t>(value)) == SQLITE_OK);
  return *this;
}

Query& Query::bind(int parameter, BytesView bytes) {
  static constexpr uint8_t kNothing = 0;  // a null pointer would bind NULL
  const uint8_t* data = bytes.empty() ? &kNothing : bytes.data();
  CAIRN_ASSERT(sqlite3_bind_blob64(statement_, parameter, data, bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Result<bool> Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->last_error();
}

Status Query::run() {
  while (true) {
    CAIRN_TRY(const bool row, step());
    if (!row) return {};
  }
}

Result<uint64_t> Query::integer(int column) const {
  const int64_t value = sqlite3_column_int64(statement_, column);
  if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER || value < 0) {
    return connection_->damaged(std::string(sqlite3_column_name(statement_, column)) + " is no number");
  }
  return static_cast<uint64_t>(value);
}

Result<Bytes> Query::blob(int column, size_t max_size) const {
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
  if (sqlite3_column_type(statement_, column) != SQLITE_BLOB || size > max_size) {
    return connection_->damaged(std::string(sqlite3_column_name(statement_, column)) + " is not at most " +
                                std::to_string(max_size) + " bytes");
  }
  return size == 0 ? Bytes() : Bytes(data, data + size);
}

std::string Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data == nullptr ? "" : data;
}

Result<Connection> Connection::open(const std::filesystem::path& path, Mode mode, const char* vfs,
                                    int wait_ms) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(file_name(path, mode).c_str(), &handle, open_flags(mode), vfs);
  Connection connection(handle, path.string());
  if (handle == nullptr) return Error{path.string() + ": not enough memory to open it"};
  if (code != SQLITE_OK) return connection.last_error();
  harden(handle);
  sqlite3_busy_timeout(handle, wait_ms);
  return connection;
}

Connection::Connection(Connection&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), name_(std::move(other.name_)) {}

Connection::~Connection() {
  sqlite3_close_v2(handle_);
}

Result<Query> Connection::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr) != SQLITE_OK) return last_error();
  return Query(this, statement);
}

Status Connection::run(const char* sql) const {
  CAIRN_TRY(Query query, prepare(sql));
  return query.run();
}

Result<std::string> Connection::text(const char* sql) const {
  CAIRN_TRY(Query query, prepare(sql));
  CAIRN_TRY(const bool row, query.step());
  return row ? query.text(0) : std::string();
}

Result<uint64_t> Connection::integer(const char* sql) const {
  CAIRN_TRY(Query query, prepare(sql));
  CAIRN_TRY(const bool row, query.step());
  if (!row) return damaged("a row is missing");
  return query.integer(0);
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

bool Connection::sync_failed() const {
  return sqlite3_extended_errcode(handle_) == SQLITE_IOERR_FSYNC;
}

Error Connection::damaged(const std::string& what) const {
  return {name_ + ": " + advice(SQLITE_CORRUPT, what.c_str())};
}

Error Connection::last_error() const {
  return {name_ + ": " + advice(sqlite3_extended_errcode(handle_), sqlite3_errmsg(handle_))};
}

}  // namespace cairn::ledger::sqlite
