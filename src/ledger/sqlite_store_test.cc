// What only the file can get wrong: damage, foreign files, killed processes, processes side by side, a full
// disk.
#include "ledger/sqlite_store.h"

#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "base/file.h"
#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

class SqliteStore : public ::testing::Test {
 protected:
  SqliteStore() {
    std::string name = std::filesystem::temp_directory_path() / "cairn-ledger-XXXXXX";
    CAIRN_ASSERT(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
    file_ = directory_ / "ledger.db";
  }
  ~SqliteStore() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Store> create() {
    auto store = create_sqlite_store(file_);
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(store).value();
  }

  std::unique_ptr<Store> open() {
    auto store = open_sqlite_store(file_);
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(store).value();
  }

  std::string refusal() const {
    const auto store = open_sqlite_store(file_);
    return store.ok() ? "accepted" : store.error().message;
  }

  Bytes file_bytes() const { return read_file(file_, 1 << 30).value(); }

  std::filesystem::path directory_, file_;
  std::mt19937_64 random_{5};
};

Event numbered(uint64_t number) {
  Event event;
  event.time = static_cast<int64_t>(number);
  event.statement.body = RolledBack{static_cast<Round>(number)};
  return event;
}

Status append_numbered(Store& store, uint64_t count) {
  CAIRN_TRY(Transaction transaction, store.begin());
  for (uint64_t i = 0; i < count; ++i) {
    auto index = transaction.append(numbered(store.size()));
    if (!index) return index.error();
  }
  return transaction.commit();
}

void expect_numbered(const Store& store) {
  const auto events = store.read_range(0, store.size());
  ASSERT_TRUE(events.ok()) << events.error().message;
  for (uint64_t i = 0; i < events->size(); ++i) ASSERT_EQ((*events)[i], numbered(i));
}

TEST_F(SqliteStore, IsMadeOnceAndOnlyWhereNothingLies) {
  EXPECT_THAT(refusal(), HasSubstr(file_.string() + ": cannot be opened: it is missing"));
  create();
  EXPECT_THAT(create_sqlite_store(file_).error().message, HasSubstr("something lies there already"));
  EXPECT_EQ(open()->size(), 0u);
  const auto elsewhere = create_sqlite_store(directory_ / "no" / "ledger.db");
  EXPECT_THAT(elsewhere.error().message, HasSubstr("no/ledger.db: cannot be opened"));
}

TEST_F(SqliteStore, ForeignFilesAreRefused) {
  const auto run = [&](const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(file_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(handle);
  };
  const std::vector<std::pair<const char*, std::function<void()>>> foreign = {
      {"is no ledger of Cairn", [&] { run("CREATE TABLE events(x)"); }},
      {"is no ledger of Cairn", [&] { ASSERT_TRUE(write_file(file_, {}).ok()); }},
      {"is damaged or no ledger",
       [&] { ASSERT_TRUE(write_file(file_, as_bytes(std::string(5000, 'x'))).ok()); }},
      {"has layout 2 where this program knows 1",
       [&] {
         create();
         run("PRAGMA user_version=2");
       }},
      {"additional tables",
       [&] {
         create();
         run("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM items; END");
       }},
      {"its tables are others",
       [&] {
         create();
         run("DROP TABLE items; CREATE VIEW items AS SELECT 1");
       }},
      {"the head is missing",
       [&] {
         create();
         run("DELETE FROM head");
       }},
      {"root is not at most 32 bytes",
       [&] {
         create();
         run("UPDATE head SET root = zeroblob(33)");
       }},
      {"size is no number",
       [&] {
         create();
         run("UPDATE head SET size = -1");
       }},
      {"event 0 is missing",
       [&] {
         create();
         run("UPDATE head SET size = 1 << 62");
       }},
      {"do not have the root of the last commit",
       [&] {
         EXPECT_TRUE(append_numbered(*create(), 3).ok());
         run("UPDATE events SET bytes = x'00' WHERE number = 1");
       }},
      {"event 1 is missing",
       [&] {
         EXPECT_TRUE(append_numbered(*create(), 3).ok());
         run("DELETE FROM events WHERE number = 1");
       }},
      {"bytes is not at most 65535 bytes",
       [&] {
         EXPECT_TRUE(append_numbered(*create(), 3).ok());
         run("UPDATE events SET bytes = zeroblob(3000000) WHERE number = 1");
       }},
      {"string or blob too big",
       [&] {
         EXPECT_TRUE(append_numbered(*create(), 3).ok());
         run("UPDATE events SET bytes = zeroblob(30000000) WHERE number = 1");
       }},
      {"an item does not have its digest",
       [&] {
         create();
         run("INSERT INTO items VALUES(1, x'41', x'42', zeroblob(32))");
       }},
      {"an item is missing or changed",
       [&] {
         const auto store = create();
         auto transaction = store->begin();
         EXPECT_TRUE(transaction->put_staged("a", {}).ok() && transaction->commit().ok());
         run("DELETE FROM items");
       }},
  };
  for (const auto& [message, make] : foreign) {
    std::filesystem::remove(file_);
    make();
    EXPECT_THAT(refusal(), HasSubstr(file_.string() + ": "));
    EXPECT_THAT(refusal(), HasSubstr(message));
  }
}

TEST_F(SqliteStore, ARowThatIsNoEventIsAnError) {
  const auto store = create();
  ASSERT_TRUE(append_numbered(*store, 3).ok());
  Bytes bytes = encode(numbered(1));
  bytes[8] = 9;
  MerkleTree tree;
  for (uint64_t i = 0; i < 3; ++i) tree.append(leaf_hash(i == 1 ? bytes : encode(numbered(i))));
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &handle), SQLITE_OK);
  const std::string sql = "UPDATE events SET bytes = x'" + to_hex(bytes) + "' WHERE number = 1;" +
                          "UPDATE head SET root = x'" + tree.root().hex() + "'";
  EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  EXPECT_EQ(open()->read(1).error().message,
            file_.string() + ": event 1: version: 9 where this program reads 1");
}

// A file with events and items, and what it holds, to compare damaged copies with.
class DamagedStore : public SqliteStore {
 protected:
  DamagedStore() {
    const auto store = create();
    for (int i = 0; i < 40; ++i) {
      auto transaction = store->begin();
      const std::string key = std::to_string(i);
      EXPECT_TRUE(transaction->append(random_event(random_)).ok());
      EXPECT_TRUE(transaction->put_staged("key " + key, as_bytes(key)).ok());
      EXPECT_TRUE(transaction->put_meta("meta " + key, Bytes(100, static_cast<uint8_t>(i))).ok());
      EXPECT_TRUE(transaction->commit().ok());
    }
    contents_ = contents(*store);
  }

  static Bytes contents(const Store& store) {
    ByteWriter writer;
    const auto events = store.read_range(0, store.size());
    for (const Event& event : *events) writer.blob(encode(event));
    const auto staged = store.staged();
    for (const Item& item : *staged) {
      writer.string(item.key);
      writer.blob(item.bytes);
    }
    for (int i = 0; i < 40; ++i) {
      const auto value = store.meta("meta " + std::to_string(i));
      writer.blob(*value.value());
    }
    return writer.take();
  }

  void overwrite(BytesView bytes) const {  // without a sync, which a thousand cases could not afford
    std::ofstream stream(file_, std::ios::binary | std::ios::trunc);
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(stream.flush().good());
  }

  // Opens the damaged file: refused by name, or complete. Returns whether it was refused.
  bool refused_or_complete() {
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(file_.string() + suffix);
    const auto store = open_sqlite_store(file_);
    if (!store.ok()) {
      EXPECT_THAT(store.error().message, HasSubstr(file_.string() + ": "));
      return true;
    }
    EXPECT_EQ(contents(**store), contents_);
    return false;
  }

  Bytes contents_;
};

TEST_F(DamagedStore, EveryTruncationIsRefused) {
  const Bytes bytes = file_bytes();
  for (int i = 0; i < 100; ++i) {
    overwrite(BytesView(bytes).first(random_() % bytes.size()));
    ASSERT_TRUE(refused_or_complete());
  }
}

TEST_F(DamagedStore, FlippedBitsAreRefusedOrHarmless) {
  const Bytes bytes = file_bytes();
  int refused = 0;
  for (int i = 0; i < 800; ++i) {
    Bytes damaged = bytes;
    // Half of them where the pages' own structure lies, which decides what is read.
    const size_t page = random_() % (bytes.size() / 4096) * 4096;
    const size_t at = i % 2 == 0 ? random_() % bytes.size() : page + random_() % 120;
    damaged[at] ^= static_cast<uint8_t>(1 << random_() % 8);
    overwrite(damaged);
    refused += refused_or_complete() ? 1 : 0;
    ASSERT_FALSE(HasFailure()) << "byte " << at << " from " << int{bytes[at]} << " to " << int{damaged[at]};
  }
  EXPECT_GT(refused, 200);
}

TEST_F(SqliteStore, AnOlderCopyIsNoticed) {
  const auto store = create();
  ASSERT_TRUE(append_numbered(*store, 5).ok());
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file_.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "UPDATE head SET size = 4", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  EXPECT_THAT(store->refresh().error().message, HasSubstr("has 4 events where 5 were seen before"));
  EXPECT_EQ(store->size(), 5u);
}

TEST_F(SqliteStore, GivesUpWaitingForTheLock) {
  create();
  const auto one = open();
  const auto other = open_sqlite_store(file_, {.lock_wait_ms = 10});
  auto transaction = one->begin();
  ASSERT_TRUE(transaction.ok());
  EXPECT_THAT((*other)->begin().error().message, HasSubstr("another process has been writing"));
  ASSERT_TRUE(transaction->commit().ok());
  EXPECT_TRUE((*other)->begin().ok());
}

// Runs `body` in a child process; its result is the exit code.
pid_t spawn(const std::function<int()>& body) {
  const pid_t child = ::fork();
  CAIRN_ASSERT(child >= 0);
  if (child == 0) ::_exit(body());
  return child;
}

int exit_code(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(SqliteStore, ProcessesSideBySideTakeTurns) {
  constexpr int kProcesses = 3;
  constexpr int kTransactions = 40;
  create();
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    children.push_back(spawn([&] {
      auto store = open_sqlite_store(file_);
      for (int n = 0; n < kTransactions; ++n) {
        if (!store || !append_numbered(**store, 2)) return 1;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_code(child), 0);
  const auto store = open();
  EXPECT_EQ(store->size(), 2u * kProcesses * kTransactions);
  expect_numbered(*store);
}

// Appends until killed and reports each acknowledged size.
int append_forever(const std::filesystem::path& file, int pipe) {
  auto store = open_sqlite_store(file);
  if (!store) return 1;
  while (append_numbered(**store, 1 + (*store)->size() % 3)) {
    const uint64_t size = (*store)->size();
    if (::write(pipe, &size, sizeof size) != sizeof size) return 1;
  }
  return 1;
}

TEST_F(SqliteStore, KilledAtAnyInstantItKeepsWhatWasAcknowledged) {
  create();
  uint64_t acknowledged = 0;
  for (int kill = 0; kill < 50; ++kill) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = spawn([&] {
      ::close(ends[0]);
      return append_forever(file_, ends[1]);
    });
    ::close(ends[1]);
    const uint64_t before = acknowledged;
    uint64_t size = 0;
    ASSERT_EQ(::read(ends[0], &size, sizeof size), ssize_t{sizeof size});  // it is up and working
    ::usleep(static_cast<useconds_t>(random_() % 8000));
    ::kill(child, SIGKILL);
    do acknowledged = size;
    while (::read(ends[0], &size, sizeof size) == sizeof size);
    ::close(ends[0]);
    EXPECT_EQ(exit_code(child), -1);
    EXPECT_GT(acknowledged, before);

    const auto store = open();
    ASSERT_GE(store->size(), acknowledged);
    ASSERT_LE(store->size(), acknowledged + 3);  // the transaction that it was killed in, whole or not at all
    ASSERT_TRUE(store->size() == acknowledged || store->size() == acknowledged + 1 + acknowledged % 3);
    expect_numbered(*store);
    acknowledged = store->size();
  }
}

// No file of the child may grow beyond a limit, as on a full disk.
TEST_F(SqliteStore, AFullDiskIsOneErrorAndChangesNothing) {
  ASSERT_TRUE(append_numbered(*create(), 10).ok());
  const LogHead head = open()->head();
  const pid_t child = spawn([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{60'000, 60'000};
    auto store = open_sqlite_store(file_);
    if (!store || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    const LogHead before = (*store)->head();
    const Status status = append_numbered(**store, 1000);
    if (status || status.error().message.find(file_.string()) == std::string::npos) return 2;
    if (!((*store)->head() == before) || (*store)->read_range(0, 100)->size() != 10) return 3;
    return append_numbered(**store, 1) ? 0 : 4;  // a small one still fits
  });
  EXPECT_EQ(exit_code(child), 0);
  const auto store = open();
  EXPECT_EQ(*store->head_at(10), head);
  EXPECT_EQ(store->size(), 11u);
  expect_numbered(*store);
}

TEST_F(SqliteStore, AFullDiskLeavesNothingOfAFailedCreation) {
  const pid_t child = spawn([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{5'000, 5'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    return create_sqlite_store(file_) ? 2 : 0;
  });
  EXPECT_EQ(exit_code(child), 0);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace cairn::ledger
