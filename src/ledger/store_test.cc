// The conformance suite: what every storage engine under a Store must do.
#include "ledger/store.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <thread>

#include "ledger/memory_store.h"
#include "ledger/random_event.h"
#include "ledger/sqlite_store.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

// A place where a ledger lies; every open() gives another Store over it.
class World {
 public:
  virtual ~World() = default;
  virtual Result<std::unique_ptr<Store>> open() = 0;
};

class MemoryWorld : public World {
 public:
  Result<std::unique_ptr<Store>> open() override { return open_memory_store(disk_); }

 private:
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

class SqliteWorld : public World {
 public:
  SqliteWorld() {
    std::string name = std::filesystem::temp_directory_path() / "cairn-store-XXXXXX";
    CAIRN_ASSERT(::mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~SqliteWorld() override { std::filesystem::remove_all(directory_); }
  Result<std::unique_ptr<Store>> open() override {
    const std::filesystem::path file = directory_ / "ledger.db";
    return std::filesystem::exists(file) ? open_sqlite_store(file) : create_sqlite_store(file);
  }

 private:
  std::filesystem::path directory_;
};

struct Engine {
  const char* name;
  std::function<std::unique_ptr<World>()> make;
};

class StoreConformance : public ::testing::TestWithParam<Engine> {
 protected:
  std::unique_ptr<Store> open() {
    auto store = world_->open();
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(store).value();
  }

  Event next_event() { return random_event(random_); }

  // Appends that many random events in one transaction.
  std::vector<Event> append(Store& store, int count) {
    std::vector<Event> events;
    auto transaction = store.begin();
    EXPECT_TRUE(transaction.ok());
    for (int i = 0; i < count; ++i) {
      events.push_back(next_event());
      const uint64_t expected = store.size();
      auto index = transaction->append(events.back());
      EXPECT_TRUE(index.ok() && *index == expected);
    }
    EXPECT_TRUE(transaction->commit().ok());
    return events;
  }

  std::mt19937_64 random_{11};
  std::unique_ptr<World> world_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Engines, StoreConformance,
                         ::testing::Values(Engine{"memory", [] { return std::make_unique<MemoryWorld>(); }},
                                           Engine{"sqlite", [] { return std::make_unique<SqliteWorld>(); }}),
                         [](const auto& engine) { return engine.param.name; });

Bytes bytes_of(std::string_view text) {
  return {text.begin(), text.end()};
}

TEST_P(StoreConformance, IsEmptyAtFirst) {
  const auto store = open();
  EXPECT_EQ(store->size(), 0u);
  EXPECT_EQ(store->head().root, sha256({}));
  EXPECT_TRUE(store->read_range(0, 10)->empty());
  EXPECT_TRUE(store->staged()->empty());
  EXPECT_FALSE(store->meta("nothing")->has_value());
}

TEST_P(StoreConformance, KeepsEventsInOrder) {
  std::vector<Event> events;
  LogHead head;
  {
    const auto store = open();
    for (int count : {1, 3, 7}) {
      for (Event& event : append(*store, count)) events.push_back(std::move(event));
    }
    head = store->head();
  }
  const auto store = open();
  EXPECT_EQ(store->head(), head);
  EXPECT_EQ(*store->read_range(0, 100), events);
  EXPECT_EQ(*store->read_range(4, 3), (std::vector(events.begin() + 4, events.begin() + 7)));
  for (size_t i = 0; i < events.size(); ++i) EXPECT_EQ(*store->read(i), events[i]);
}

TEST_P(StoreConformance, RootIsTheMerkleRootOfTheBytes) {
  const auto store = open();
  MerkleTree tree;
  for (const Event& event : append(*store, 13)) tree.append(leaf_hash(encode(event)));
  EXPECT_EQ(store->head().root, tree.root());
  EXPECT_EQ(store->head_at(5)->root, tree.root_of(5));
}

TEST_P(StoreConformance, ProofsHoldAgainstEarlierHeads) {
  const auto store = open();
  append(*store, 21);
  for (uint64_t size = 1; size <= 21; ++size) {
    const LogHead old_head = *store->head_at(size);
    const auto consistency = store->consistency_proof(size, 21);
    EXPECT_TRUE(consistency_valid(size, old_head.root, 21, store->head().root, *consistency));
    const Digest leaf = leaf_hash(encode(*store->read(size - 1)));
    EXPECT_TRUE(
        inclusion_valid(leaf, size - 1, 21, store->head().root, *store->inclusion_proof(size - 1, 21)));
  }
}

TEST_P(StoreConformance, WhatIsNotThereIsAnError) {
  const auto store = open();
  append(*store, 2);
  EXPECT_THAT(store->read(2).error().message, HasSubstr("none at 2"));
  EXPECT_FALSE(store->head_at(3).ok());
  EXPECT_FALSE(store->inclusion_proof(2, 2).ok());
  EXPECT_FALSE(store->inclusion_proof(0, 3).ok());
  EXPECT_FALSE(store->consistency_proof(2, 1).ok());
  EXPECT_FALSE(store->consistency_proof(1, 3).ok());
  EXPECT_TRUE(store->read_range(UINT64_MAX, UINT64_MAX)->empty());
  EXPECT_EQ(store->read_range(1, UINT64_MAX)->size(), 1u);
}

TEST_P(StoreConformance, NothingOfAnUncommittedTransactionRemains) {
  const auto store = open();
  append(*store, 3);
  const LogHead head = store->head();
  {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction->append(next_event()).ok());
    ASSERT_TRUE(transaction->put_staged("a", bytes_of("1")).ok());
    ASSERT_TRUE(transaction->put_meta("b", bytes_of("2")).ok());
    EXPECT_EQ(store->size(), 4u);
    EXPECT_TRUE(store->read(3).ok());
    EXPECT_EQ(store->staged()->size(), 1u);
  }
  for (const auto& again : {open(), open()}) {
    EXPECT_EQ(again->head(), head);
    EXPECT_TRUE(again->staged()->empty());
    EXPECT_FALSE(again->meta("b")->has_value());
  }
  EXPECT_EQ(store->head(), head);
  EXPECT_FALSE(store->read(3).ok());
  append(*store, 1);
  EXPECT_EQ(open()->size(), 4u);
}

TEST_P(StoreConformance, AppendingAndUnstagingAreOne) {
  const auto store = open();
  {
    auto transaction = store->begin();
    for (const char* key : {"b", "c", "a", "b"})
      ASSERT_TRUE(transaction->put_staged(key, bytes_of(key)).ok());
    ASSERT_TRUE(transaction->commit().ok());
  }
  const std::vector<Item> all = {{"a", bytes_of("a")}, {"b", bytes_of("b")}, {"c", bytes_of("c")}};
  EXPECT_EQ(*open()->staged(), all);
  {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction->append(next_event()).ok());
    ASSERT_TRUE(transaction->remove_staged("b").ok());
    ASSERT_TRUE(transaction->remove_staged("missing").ok());
  }
  EXPECT_EQ(*open()->staged(), all);
  {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction->append(next_event()).ok());
    ASSERT_TRUE(transaction->remove_staged("b").ok());
    ASSERT_TRUE(transaction->commit().ok());
  }
  const auto again = open();
  EXPECT_EQ(*again->staged(), (std::vector<Item>{all[0], all[2]}));
  EXPECT_EQ(again->size(), 1u);
}

TEST_P(StoreConformance, MetaAndStagedAreApartAndHoldAnyBytes) {
  const auto store = open();
  const std::string key("\0\xff key", 6);
  Bytes large(kMaxItemSize, 7);
  auto transaction = store->begin();
  ASSERT_TRUE(transaction->put_meta(key, large).ok());
  ASSERT_TRUE(transaction->put_staged(key, {}).ok());
  ASSERT_TRUE(transaction->commit().ok());
  EXPECT_EQ(*open()->meta(key), large);
  EXPECT_EQ(*open()->staged(), (std::vector<Item>{{key, {}}}));
}

TEST_P(StoreConformance, ARefusalEndsTheTransactionAndChangesNothing) {
  const auto store = open();
  const std::vector<std::pair<const char*, std::function<Status(Transaction&)>>> refusals = {
      {"event 1: genesis: policy: judge_votes",
       [](Transaction& transaction) -> Status {
         Genesis genesis;
         genesis.policy.judge_votes = 0;
         Event event;
         event.statement.body = genesis;
         CAIRN_TRY(const uint64_t index, transaction.append(event));
         return index == 0 ? Status() : Status(Error{"accepted"});
       }},
      {"a key needs", [](Transaction& transaction) { return transaction.put_staged("", {}); }},
      {"a key needs",
       [](Transaction& transaction) { return transaction.put_meta(std::string(kMaxKeySize + 1, 'x'), {}); }},
      {"a value at most",
       [](Transaction& transaction) { return transaction.put_meta("x", Bytes(kMaxItemSize + 1)); }},
  };
  for (const auto& [message, refused] : refusals) {
    auto transaction = store->begin();
    ASSERT_TRUE(transaction.ok()) << transaction.error().message;
    ASSERT_TRUE(transaction->append(next_event()).ok());
    const Status status = refused(*transaction);
    ASSERT_FALSE(status.ok());
    EXPECT_THAT(status.error().message, HasSubstr(message));
    EXPECT_THAT(transaction->commit().error().message, HasSubstr("the transaction is over"));
    EXPECT_FALSE(transaction->append(next_event()).ok());
    EXPECT_EQ(store->size(), 0u);
    EXPECT_EQ(open()->size(), 0u);
  }
}

TEST_P(StoreConformance, RefreshShowsWhatOthersAppended) {
  const auto mine = open();
  const auto theirs = open();
  append(*theirs, 3);
  EXPECT_EQ(mine->size(), 0u);
  EXPECT_TRUE(mine->refresh().ok());
  EXPECT_EQ(mine->head(), theirs->head());
  append(*theirs, 1);
  append(*mine, 1);  // begins after theirs
  EXPECT_EQ(mine->size(), 5u);
  EXPECT_EQ(*mine->read(3), *theirs->read(3));
}

TEST_P(StoreConformance, OneTransactionAtATimeForAStore) {
  const auto store = open();
  auto transaction = store->begin();
  EXPECT_THAT(store->begin().error().message, HasSubstr("open already"));
  ASSERT_TRUE(transaction->append(next_event()).ok());
  EXPECT_TRUE(store->refresh().ok());
  EXPECT_TRUE(transaction->commit().ok());
  EXPECT_TRUE(store->begin().ok());
}

// Each thread reads the size under the lock and writes it into its event: a lost or doubled one would show.
TEST_P(StoreConformance, WritersTakeTurns) {
  constexpr uint32_t kThreads = 3;
  constexpr uint32_t kEvents = 30;
  open();
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      const auto store = open();
      for (uint32_t n = 0; n < kEvents; ++n) {
        auto transaction = store->begin();
        ASSERT_TRUE(transaction.ok()) << transaction.error().message;
        Event event;
        event.statement.body = RolledBack{static_cast<Round>(store->size())};
        ASSERT_TRUE(transaction->append(event).ok());
        ASSERT_TRUE(transaction->commit().ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto events = open()->read_range(0, 1000);
  ASSERT_EQ(events->size(), kThreads * kEvents);
  for (uint32_t i = 0; i < events->size(); ++i) {
    EXPECT_EQ(std::get<RolledBack>((*events)[i].statement.body).to_round, i);
  }
}

// Random transactions through two Stores, some abandoned, against lists and maps.
TEST_P(StoreConformance, BehavesLikeListsAndMaps) {
  struct Model {
    std::vector<Event> events;
    std::map<std::string, Bytes> staged, meta;
  } model;
  const std::unique_ptr<Store> stores[] = {open(), open()};
  for (int i = 0; i < 300; ++i) {
    Store& store = *stores[random_() % 2];
    Model next = model;
    auto transaction = store.begin();
    ASSERT_TRUE(transaction.ok());
    for (uint64_t step = random_() % 6; step > 0; --step) {
      const std::string key(1, static_cast<char>('a' + random_() % 5));
      const Bytes value = bytes_of(std::to_string(random_()));
      switch (random_() % 4) {
        case 0:
          next.events.push_back(next_event());
          ASSERT_TRUE(transaction->append(next.events.back()).ok());
          break;
        case 1:
          next.staged[key] = value;
          ASSERT_TRUE(transaction->put_staged(key, value).ok());
          break;
        case 2:
          next.staged.erase(key);
          ASSERT_TRUE(transaction->remove_staged(key).ok());
          break;
        default:
          next.meta[key] = value;
          ASSERT_TRUE(transaction->put_meta(key, value).ok());
      }
    }
    if (random_() % 3 != 0) {
      ASSERT_TRUE(transaction->commit().ok());
      model = std::move(next);
    } else {
      const Transaction abandoned = std::move(transaction).value();
    }
    ASSERT_EQ(store.size(), model.events.size());
    std::map<std::string, Bytes> staged;
    const auto items = store.staged();
    for (const Item& item : *items) staged[item.key] = item.bytes;
    ASSERT_EQ(staged, model.staged);
    for (const auto& [key, value] : model.meta) ASSERT_EQ(*store.meta(key), value);
  }
  EXPECT_EQ(*open()->read_range(0, 10'000), model.events);
}

}  // namespace
}  // namespace cairn::ledger
