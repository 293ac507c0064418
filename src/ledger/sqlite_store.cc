#include "ledger/sqlite_store.h"

#include <fcntl.h>
#include <unistd.h>

#include "ledger/sqlite.h"

namespace cairn::ledger {
namespace {

using sqlite::Connection;
using sqlite::Mode;
using sqlite::Query;

constexpr uint64_t kApplicationId = 0x4341524e;  // "CARN"
constexpr uint64_t kSchemaVersion = 1;

// A file whose schema is not exactly this is foreign.
constexpr const char* kTables[] = {
    "CREATE TABLE events(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE head(one INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, items BLOB NOT "
    "NULL)",
    "CREATE TABLE items(space INTEGER NOT NULL, key BLOB NOT NULL, bytes BLOB NOT NULL, digest BLOB NOT "
    "NULL, "
    "PRIMARY KEY(space, key)) WITHOUT ROWID",
};

constexpr uint64_t number_of(Space space) {
  return static_cast<uint64_t>(space);
}

// What the tree is for events, these digests and their sum (by exclusive or) are for items: damage shows.
Digest item_digest(uint64_t space, BytesView key, BytesView bytes) {
  ByteWriter content;
  content.u64(space);
  content.blob(key);
  content.blob(bytes);
  return Hasher("cairn ledger item v1").update(content.bytes()).finish();
}

Digest exclusive_or(Digest a, const Digest& b) {
  for (size_t i = 0; i < a.bytes.size(); ++i) a.bytes[i] ^= b.bytes[i];
  return a;
}

Result<Digest> digest_column(const Connection& connection, const Query& query, int column) {
  Digest digest;
  CAIRN_TRY(const Bytes bytes, query.blob(column, digest.bytes.size()));
  if (bytes.size() != digest.bytes.size()) return connection.damaged("a digest is too short");
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

class SqliteBackend : public Backend {
 public:
  explicit SqliteBackend(Connection connection) : connection_(std::move(connection)) {}

  Status create();
  Status check();
  Status prepare_connection();

  std::string name() const override { return connection_.name(); }
  Status begin() override;
  Status commit() override;
  void rollback() override;
  Result<LogHead> head() override;
  Status set_head(const LogHead& head) override;
  Status add_event(uint64_t index, BytesView bytes) override;
  Result<std::vector<Bytes>> events(uint64_t first, uint64_t count) override;
  Status put(Space space, const std::string& key, BytesView bytes) override;
  Status remove(Space space, const std::string& key) override;
  Result<std::optional<Bytes>> get(Space space, const std::string& key) override;
  Result<std::vector<Item>> list(Space space) override;

 private:
  Status check_owner();
  Status check_tables();
  Status check_contents();
  Status check_items();
  Result<Item> item(const Query& query, uint64_t space) const;
  Result<Digest> digest_of(Space space, const std::string& key) const;
  Result<Digest> items_sum() const;
  Status change_items_sum(const Digest& removed, const Digest& added);

  Connection connection_;
  bool disk_failed_ = false;
};

Status SqliteBackend::prepare_connection() {
  CAIRN_TRY(const std::string mode, connection_.text("PRAGMA journal_mode=WAL"));
  if (mode != "wal") return Error{name() + ": cannot keep a write-ahead log there (" + mode + ")"};
  CAIRN_CHECK(connection_.run("PRAGMA synchronous=FULL"));
  return connection_.run("PRAGMA cell_size_check=ON");
}

Status SqliteBackend::create() {
  CAIRN_CHECK(connection_.run("BEGIN IMMEDIATE"));
  for (const char* table : kTables) CAIRN_CHECK(connection_.run(table));
  CAIRN_TRY(Query head, connection_.prepare("INSERT INTO head(one, size, root, items) VALUES(0, 0, ?, ?)"));
  CAIRN_CHECK(head.bind(1, sha256({}).bytes).bind(2, Digest{}.bytes).run());
  CAIRN_CHECK(connection_.run(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()));
  CAIRN_CHECK(connection_.run(("PRAGMA user_version=" + std::to_string(kSchemaVersion)).c_str()));
  return connection_.run("COMMIT");
}

Status SqliteBackend::check_owner() {
  CAIRN_TRY(const uint64_t application, connection_.integer("PRAGMA application_id"));
  if (application != kApplicationId)
    return Error{name() + ": is no ledger of Cairn, or its making was interrupted"};
  CAIRN_TRY(const uint64_t version, connection_.integer("PRAGMA user_version"));
  if (version == kSchemaVersion) return {};
  return Error{name() + ": has layout " + std::to_string(version) + " where this program knows " +
               std::to_string(kSchemaVersion) + "; use a newer cairn"};
}

Status SqliteBackend::check_tables() {
  CAIRN_TRY(Query query, connection_.prepare("SELECT sql FROM sqlite_schema ORDER BY name"));
  for (const char* table : kTables) {
    CAIRN_TRY(const bool row, query.step());
    if (!row || query.text(0) != table) return connection_.damaged("its tables are others");
  }
  CAIRN_TRY(const bool row, query.step());
  if (row) return connection_.damaged("it has additional tables");
  return {};
}

Status SqliteBackend::check_items() {
  CAIRN_TRY(const Digest expected, items_sum());
  CAIRN_TRY(Query query, connection_.prepare("SELECT key, bytes, digest, space FROM items"));
  Digest sum;
  while (true) {
    CAIRN_TRY(const bool row, query.step());
    if (!row) break;
    CAIRN_TRY(const uint64_t space, query.integer(3));
    if (auto intact = item(query, space); !intact) return intact.error();
    CAIRN_TRY(const Digest digest, digest_column(connection_, query, 2));
    sum = exclusive_or(sum, digest);
  }
  if (sum != expected) return connection_.damaged("an item is missing or changed");
  return {};
}

Status SqliteBackend::check_contents() {
  CAIRN_CHECK(check_owner());
  CAIRN_CHECK(check_tables());
  CAIRN_TRY(const std::string verdict, connection_.text("PRAGMA quick_check(1)"));
  if (verdict != "ok") return connection_.damaged(verdict);
  return check_items();
}

Status SqliteBackend::check() {
  CAIRN_CHECK(connection_.run("BEGIN"));  // one state, whatever others commit meanwhile
  Status status = check_contents();
  rollback();
  return status;
}

Status SqliteBackend::begin() {
  if (disk_failed_)
    return Error{name() + ": the disk failed to keep a commit; check it, then open the ledger again"};
  return connection_.run("BEGIN IMMEDIATE");
}

Status SqliteBackend::commit() {
  Status status = connection_.run("COMMIT");
  // A kernel that failed to write pages may forget them and report success the next time.
  if (!status && connection_.sync_failed()) disk_failed_ = true;
  return status;
}

void SqliteBackend::rollback() {
  if (!connection_.in_transaction()) return;  // some errors roll back by themselves
  if (!connection_.run("ROLLBACK")) disk_failed_ = true;
}

Result<LogHead> SqliteBackend::head() {
  CAIRN_TRY(Query query, connection_.prepare("SELECT size, root FROM head WHERE one = 0"));
  CAIRN_TRY(const bool row, query.step());
  if (!row) return connection_.damaged("the head is missing");
  LogHead head;
  CAIRN_TRY(head.size, query.integer(0));
  CAIRN_TRY(head.root, digest_column(connection_, query, 1));
  return head;
}

Status SqliteBackend::set_head(const LogHead& head) {
  CAIRN_TRY(Query query, connection_.prepare("UPDATE head SET size = ?, root = ? WHERE one = 0"));
  return query.bind(1, head.size).bind(2, head.root.bytes).run();
}

Status SqliteBackend::add_event(uint64_t index, BytesView bytes) {
  CAIRN_TRY(Query query, connection_.prepare("INSERT INTO events(number, bytes) VALUES(?, ?)"));
  return query.bind(1, index).bind(2, bytes).run();
}

Result<std::vector<Bytes>> SqliteBackend::events(uint64_t first, uint64_t count) {
  CAIRN_TRY(Query query, connection_.prepare(
                             "SELECT number, bytes FROM events WHERE number >= ? ORDER BY number LIMIT ?"));
  query.bind(1, first).bind(2, count);
  std::vector<Bytes> result;
  while (true) {
    CAIRN_TRY(const bool row, query.step());
    if (!row) return result;
    CAIRN_TRY(const uint64_t number, query.integer(0));
    if (number != first + result.size()) return result;
    CAIRN_TRY(Bytes bytes, query.blob(1, kMaxEventSize));
    result.push_back(std::move(bytes));
  }
}

Result<Digest> SqliteBackend::items_sum() const {
  CAIRN_TRY(Query query, connection_.prepare("SELECT items FROM head WHERE one = 0"));
  CAIRN_TRY(const bool row, query.step());
  if (!row) return connection_.damaged("the head is missing");
  return digest_column(connection_, query, 0);
}

Status SqliteBackend::change_items_sum(const Digest& removed, const Digest& added) {
  CAIRN_TRY(const Digest sum, items_sum());
  CAIRN_TRY(Query query, connection_.prepare("UPDATE head SET items = ? WHERE one = 0"));
  return query.bind(1, exclusive_or(exclusive_or(sum, removed), added).bytes).run();
}

// Zero where there is no such item.
Result<Digest> SqliteBackend::digest_of(Space space, const std::string& key) const {
  CAIRN_TRY(Query query, connection_.prepare("SELECT digest FROM items WHERE space = ? AND key = ?"));
  query.bind(1, number_of(space)).bind(2, as_bytes(key));
  CAIRN_TRY(const bool row, query.step());
  return row ? digest_column(connection_, query, 0) : Digest{};
}

Status SqliteBackend::put(Space space, const std::string& key, BytesView bytes) {
  const Digest digest = item_digest(number_of(space), as_bytes(key), bytes);
  CAIRN_TRY(const Digest replaced, digest_of(space, key));
  CAIRN_CHECK(change_items_sum(replaced, digest));
  CAIRN_TRY(Query query, connection_.prepare(
                             "INSERT OR REPLACE INTO items(space, key, bytes, digest) VALUES(?, ?, ?, ?)"));
  query.bind(1, number_of(space)).bind(2, as_bytes(key)).bind(3, bytes).bind(4, digest.bytes);
  return query.run();
}

Status SqliteBackend::remove(Space space, const std::string& key) {
  CAIRN_TRY(const Digest removed, digest_of(space, key));
  CAIRN_CHECK(change_items_sum(removed, Digest{}));
  CAIRN_TRY(Query query, connection_.prepare("DELETE FROM items WHERE space = ? AND key = ?"));
  return query.bind(1, number_of(space)).bind(2, as_bytes(key)).run();
}

// Of a row (key, bytes, digest).
Result<Item> SqliteBackend::item(const Query& query, uint64_t space) const {
  CAIRN_TRY(const Bytes key, query.blob(0, kMaxKeySize));
  CAIRN_TRY(Bytes bytes, query.blob(1, kMaxItemSize));
  CAIRN_TRY(const Digest digest, digest_column(connection_, query, 2));
  if (digest != item_digest(space, key, bytes))
    return connection_.damaged("an item does not have its digest");
  return Item{{key.begin(), key.end()}, std::move(bytes)};
}

Result<std::optional<Bytes>> SqliteBackend::get(Space space, const std::string& key) {
  CAIRN_TRY(Query query,
            connection_.prepare("SELECT key, bytes, digest FROM items WHERE space = ? AND key = ?"));
  query.bind(1, number_of(space)).bind(2, as_bytes(key));
  CAIRN_TRY(const bool row, query.step());
  if (!row) return std::optional<Bytes>();
  CAIRN_TRY(Item found, item(query, number_of(space)));
  return std::optional(std::move(found.bytes));
}

Result<std::vector<Item>> SqliteBackend::list(Space space) {
  CAIRN_TRY(Query query,
            connection_.prepare("SELECT key, bytes, digest FROM items WHERE space = ? ORDER BY key"));
  query.bind(1, number_of(space));
  std::vector<Item> items;
  while (true) {
    CAIRN_TRY(const bool row, query.step());
    if (!row) return items;
    CAIRN_TRY(Item next, item(query, number_of(space)));
    items.push_back(std::move(next));
  }
}

// How a file can be opened: one that may not be written, as on a read-only disk, is read only.
Mode mode_for(const std::filesystem::path& path) {
  const auto writable = [](const std::filesystem::path& place) {
    return ::faccessat(AT_FDCWD, place.c_str(), W_OK, AT_EACCESS) == 0;
  };
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (writable(path) && writable(folder)) return Mode::open;
  std::error_code error;
  const uintmax_t log = std::filesystem::file_size(path.string() + "-wal", error);
  return !error && log > 0 ? Mode::read : Mode::frozen;
}

Result<std::unique_ptr<Store>> create(const std::filesystem::path& path, const SqliteOptions& options) {
  CAIRN_TRY(Connection connection, Connection::open(path, Mode::create, options.vfs, options.lock_wait_ms));
  auto backend = std::make_unique<SqliteBackend>(std::move(connection));
  CAIRN_CHECK(backend->prepare_connection());
  CAIRN_CHECK(backend->create());
  return Store::open(std::move(backend));
}

}  // namespace

Result<std::unique_ptr<Store>> create_sqlite_store(const std::filesystem::path& path,
                                                   const SqliteOptions& options) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, error))) {
    return Error{path.string() + ": something lies there already"};
  }
  auto store = create(path, options);
  if (!store) {
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      std::filesystem::remove(path.string() + suffix, error);
    }
  }
  return store;
}

Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path,
                                                 const SqliteOptions& options) {
  const Mode mode = options.vfs == nullptr ? mode_for(path) : Mode::open;
  CAIRN_TRY(Connection connection, Connection::open(path, mode, options.vfs, options.lock_wait_ms));
  auto backend = std::make_unique<SqliteBackend>(std::move(connection));
  CAIRN_CHECK(backend->check());
  if (mode == Mode::open) CAIRN_CHECK(backend->prepare_connection());
  return Store::open(std::move(backend));
}

}  // namespace cairn::ledger
