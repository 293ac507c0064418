// The ledger on a disk that fails and loses power: an SQLite file system in memory, in which what was written
// but not synced may or may not survive.
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <map>
#include <memory>
#include <new>

#include "ledger/random_event.h"
#include "ledger/sqlite_store.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

constexpr size_t kSector = 512;  // what a disk writes whole

// One file: what programs see, and what is on the platter with the writes since, each of one sector at most.
struct DiskFile {
  struct Change {
    size_t offset;
    Bytes bytes;
    bool truncate = false;
  };
  Bytes seen, durable;
  std::vector<Change> unsynced;
  std::map<int, std::unique_ptr<std::array<uint8_t, 32768>>>
      shared_memory;  // SQLite's index of the write-ahead log
};

void carry_out(const DiskFile::Change& change, Bytes& bytes) {
  const size_t end = change.offset + change.bytes.size();
  if (change.truncate || bytes.size() < end) bytes.resize(end);
  std::copy(change.bytes.begin(), change.bytes.end(), bytes.begin() + static_cast<long>(change.offset));
}

enum class Fault { none, once, for_good };

// Names come and go durably at once; contents do not. One connection at a time, so locks are always granted.
class Disk {
 public:
  explicit Disk(uint64_t seed) : random_(seed) {}

  DiskFile* find(const std::string& name) {
    const auto file = files_.find(name);
    return file == files_.end() ? nullptr : &file->second;
  }
  DiskFile* make(const std::string& name) { return &files_[name]; }
  void remove(const std::string& name) { files_.erase(name); }

  // The change number `after` from now on fails, and with for_good all that follow.
  void fail_after(int64_t after, Fault fault) {
    countdown_ = after;
    fault_ = fault;
  }
  bool has_failed() const { return fault_ != Fault::none && countdown_ < 0; }

  // Counts a write, truncation, sync or deletion; returns whether it is to fail.
  bool change_fails() {
    if (fault_ == Fault::none) return false;
    --countdown_;
    return countdown_ == -1 || (fault_ == Fault::for_good && countdown_ < 0);
  }

  void write(DiskFile& file, const uint8_t* data, size_t size, size_t offset) {
    while (size > 0) {
      const size_t piece = std::min(size, kSector - offset % kSector);
      record(file, {offset, Bytes(data, data + piece)});
      data += piece;
      offset += piece;
      size -= piece;
    }
  }
  void truncate(DiskFile& file, size_t size) { record(file, {size, {}, true}); }
  void sync(DiskFile& file) {
    file.durable = file.seen;
    file.unsynced.clear();
  }

  // Of the sectors not synced any part has reached the disk, in any order.
  void lose_power() {
    for (auto& [name, file] : files_) {
      std::shuffle(file.unsynced.begin(), file.unsynced.end(), random_);
      const uint64_t kept_of_four = random_() % 5;
      for (const DiskFile::Change& change : file.unsynced) {
        if (random_() % 4 < kept_of_four) carry_out(change, file.durable);
      }
      file.unsynced.clear();
      file.seen = file.durable;
      file.shared_memory.clear();
    }
    fault_ = Fault::none;
  }

 private:
  static void record(DiskFile& file, DiskFile::Change change) {
    carry_out(change, file.seen);
    file.unsynced.push_back(std::move(change));
  }

  std::map<std::string, DiskFile> files_;
  Fault fault_ = Fault::none;
  int64_t countdown_ = 0;
  std::mt19937_64 random_;
};

// -- SQLite's view of the disk

struct OpenFile {
  sqlite3_file base;  // first, as SQLite wants it
  Disk* disk;
  DiskFile* file;
};

Disk& disk_of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file)->disk;
}
DiskFile& file_of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file)->file;
}
Disk& disk_of(sqlite3_vfs* vfs) {
  return *static_cast<Disk*>(vfs->pAppData);
}

int read_at(sqlite3_file* handle, void* data, int count, sqlite3_int64 offset) {
  const Bytes& bytes = file_of(handle).seen;
  const auto begin = std::min(static_cast<size_t>(offset), bytes.size());
  const size_t have = std::min(static_cast<size_t>(count), bytes.size() - begin);
  std::memset(data, 0, static_cast<size_t>(count));
  if (have > 0) std::memcpy(data, bytes.data() + begin, have);
  return have == static_cast<size_t>(count) ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_at(sqlite3_file* handle, const void* data, int count, sqlite3_int64 offset) {
  if (disk_of(handle).change_fails()) return SQLITE_FULL;
  disk_of(handle).write(file_of(handle), static_cast<const uint8_t*>(data), static_cast<size_t>(count),
                        static_cast<size_t>(offset));
  return SQLITE_OK;
}

int truncate_to(sqlite3_file* handle, sqlite3_int64 size) {
  if (disk_of(handle).change_fails()) return SQLITE_IOERR_TRUNCATE;
  disk_of(handle).truncate(file_of(handle), static_cast<size_t>(size));
  return SQLITE_OK;
}

int sync_file(sqlite3_file* handle, int) {
  if (disk_of(handle).change_fails()) return SQLITE_IOERR_FSYNC;
  disk_of(handle).sync(file_of(handle));
  return SQLITE_OK;
}

int file_size(sqlite3_file* handle, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(file_of(handle).seen.size());
  return SQLITE_OK;
}

int shared_memory(sqlite3_file* handle, int region, int size, int extend, void volatile** memory) {
  auto& slot = file_of(handle).shared_memory[region];
  CAIRN_ASSERT(size == 32768);
  if (slot == nullptr && extend != 0) slot = std::make_unique<std::array<uint8_t, 32768>>();
  *memory = slot == nullptr ? nullptr : slot->data();
  return SQLITE_OK;
}

int unmap_shared_memory(sqlite3_file* handle, int remove) {
  if (remove != 0) file_of(handle).shared_memory.clear();
  return SQLITE_OK;
}

int check_lock(sqlite3_file*, int* locked) {
  *locked = 0;
  return SQLITE_OK;
}

const sqlite3_io_methods* io_methods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file*) { return SQLITE_OK; };
    m.xRead = read_at;
    m.xWrite = write_at;
    m.xTruncate = truncate_to;
    m.xSync = sync_file;
    m.xFileSize = file_size;
    m.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xCheckReservedLock = check_lock;
    m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(kSector); };
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    m.xShmMap = shared_memory;
    m.xShmLock = [](sqlite3_file*, int, int, int) { return SQLITE_OK; };
    m.xShmBarrier = [](sqlite3_file*) {};
    m.xShmUnmap = unmap_shared_memory;
    return m;
  }();
  return &methods;
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* handle, int flags, int* out_flags) {
  auto* open = reinterpret_cast<OpenFile*>(handle);
  *open = {};
  if (name == nullptr) return SQLITE_CANTOPEN;  // a temporary file: the ledger needs none
  DiskFile* file = disk_of(vfs).find(name);
  if (file == nullptr && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  if (file == nullptr && disk_of(vfs).change_fails()) return SQLITE_FULL;
  if (file == nullptr) file = disk_of(vfs).make(name);
  open->disk = &disk_of(vfs);
  open->file = file;
  open->base.pMethods = io_methods();
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int) {
  if (disk_of(vfs).change_fails()) return SQLITE_IOERR_DELETE;
  disk_of(vfs).remove(name);
  return SQLITE_OK;
}

int file_access(sqlite3_vfs* vfs, const char* name, int, int* result) {
  *result = disk_of(vfs).find(name) != nullptr ? 1 : 0;
  return SQLITE_OK;
}

int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

class DiskTest : public ::testing::Test {
 protected:
  DiskTest() : vfs_(*sqlite3_vfs_find(nullptr)) {  // clock, sleep and randomness are the usual ones
    vfs_.zName = "cairn-test-disk";
    vfs_.szOsFile = sizeof(OpenFile);
    vfs_.xOpen = open_file;
    vfs_.xDelete = delete_file;
    vfs_.xAccess = file_access;
    vfs_.xFullPathname = full_name;
    EXPECT_EQ(sqlite3_vfs_register(&vfs_, 0), SQLITE_OK);
  }
  ~DiskTest() override { sqlite3_vfs_unregister(&vfs_); }

  // A new disk with an empty ledger on it.
  void fresh_disk(uint64_t seed) {
    disk_ = std::make_unique<Disk>(seed);
    vfs_.pAppData = disk_.get();
    ASSERT_TRUE(create_sqlite_store(kFile, {.vfs = vfs_.zName}).ok());
  }

  Result<std::unique_ptr<Store>> open() { return open_sqlite_store(kFile, {.vfs = vfs_.zName}); }

  static constexpr const char* kFile = "/on the test disk/ledger.db";
  sqlite3_vfs vfs_;
  std::unique_ptr<Disk> disk_;
};

// What a ledger holds, and what a transaction makes of it.
struct Content {
  std::vector<Event> events;
  std::vector<Item> staged;
  bool operator==(const Content&) const = default;
};

Content content_of(const Store& store) {
  auto events = store.read_range(0, store.size());
  auto staged = store.staged();
  EXPECT_TRUE(events.ok() && staged.ok());
  return {std::move(events).value(), std::move(staged).value()};
}

// Puts something aside, or logs what was put aside. Changes `content` as the transaction would.
Status random_transaction(Store& store, std::mt19937_64& random, Content& content) {
  CAIRN_TRY(Transaction transaction, store.begin());
  if (random() % 2 == 0 || content.staged.empty()) {
    const std::string key = "key " + std::to_string(10'000 + random() % 1000);
    const Bytes bytes(random() % 6000, static_cast<uint8_t>(random()));
    std::erase_if(content.staged, [&](const Item& item) { return item.key == key; });
    content.staged.push_back({key, bytes});
    std::sort(content.staged.begin(), content.staged.end(), [](auto& a, auto& b) { return a.key < b.key; });
    CAIRN_CHECK(transaction.put_staged(key, bytes));
  } else {
    const std::string key = content.staged.back().key;
    content.staged.pop_back();
    CAIRN_CHECK(transaction.remove_staged(key));
  }
  for (uint64_t i = random() % 4; i > 0; --i) {
    content.events.push_back(random_event(random));
    auto index = transaction.append(content.events.back());
    if (!index) return index.error();
  }
  return transaction.commit();
}

TEST_F(DiskTest, PowerLossAtAnyInstantKeepsWhatWasAcknowledged) {
  std::mt19937_64 random(21);
  int cut_short = 0;
  for (uint64_t round = 0; round < 60; ++round) {
    fresh_disk(round);
    Content kept;
    for (int lives = 0; lives < 6; ++lives) {
      Content attempted = kept;
      {
        auto store = open();
        ASSERT_TRUE(store.ok()) << store.error().message;
        disk_->fail_after(static_cast<int64_t>(random() % 400), Fault::for_good);
        while (random_transaction(**store, random, attempted)) kept = attempted;
      }
      ASSERT_TRUE(disk_->has_failed());
      disk_->lose_power();
      auto store = open();
      ASSERT_TRUE(store.ok()) << store.error().message;
      const Content found = content_of(**store);
      ASSERT_TRUE(found == kept ||
                  found == attempted);  // the last transaction, unacknowledged, whole or not at all
      cut_short += found == kept ? 1 : 0;
      kept = found;
    }
  }
  EXPECT_GT(cut_short, 100);
}

TEST_F(DiskTest, PowerLossWhileTheFileIsMadeLeavesNoHalfLedger) {
  int made = 0;
  for (int64_t after = 0; after < 60; ++after) {
    disk_ = std::make_unique<Disk>(after);
    vfs_.pAppData = disk_.get();
    disk_->fail_after(after, Fault::for_good);
    const bool acknowledged = create_sqlite_store(kFile, {.vfs = vfs_.zName}).ok();
    disk_->lose_power();
    const auto store = open();
    if (acknowledged) {
      ASSERT_TRUE(store.ok()) << store.error().message;
      ++made;
    }
    if (store.ok()) {
      EXPECT_EQ((*store)->size(), 0u);
    } else {
      EXPECT_THAT(store.error().message, HasSubstr(kFile));
    }
  }
  EXPECT_GT(made, 0);
  EXPECT_LT(made, 60);
}

// The change number n fails, for every n that a series of transactions makes.
TEST_F(DiskTest, AFailedChangeIsOneErrorAndChangesNothing) {
  int failures = 0;
  for (int64_t after = 0; after < 150; ++after) {
    fresh_disk(1);
    std::mt19937_64 random(static_cast<uint64_t>(after));
    Content kept;
    auto store = open();
    disk_->fail_after(after, Fault::once);
    for (int i = 0; i < 12; ++i) {
      Content attempted = kept;
      const Status status = random_transaction(**store, random, attempted);
      if (status) {
        kept = attempted;
        continue;
      }
      ++failures;
      EXPECT_THAT(status.error().message, HasSubstr(kFile));
      ASSERT_EQ(content_of(**store), kept);
      if (status.error().message.find("the disk failed") != std::string::npos) break;  // only reopening helps
    }
    store = Error{"closed"};
    const auto again = open();
    ASSERT_TRUE(again.ok()) << again.error().message;
    ASSERT_EQ(content_of(**again), kept);
  }
  EXPECT_GT(failures, 100);
}

TEST_F(DiskTest, AfterAFailedSyncNothingIsAcknowledgedUntilReopened) {
  fresh_disk(1);
  std::mt19937_64 random(1);
  auto store = open();
  int refused = 0;
  for (int64_t after = 0; after < 40; ++after) {
    Content content;
    disk_->fail_after(after, Fault::once);
    const Status status = random_transaction(**store, random, content);
    if (status || status.error().message.find("the disk failed") == std::string::npos) continue;
    Content next;
    EXPECT_THAT(random_transaction(**store, random, next).error().message,
                HasSubstr("open the ledger again"));
    ++refused;
    store = Error{"closed"};
    store = open();
    ASSERT_TRUE(store.ok()) << store.error().message;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace cairn::ledger
