#include "ledger/tiles.h"

#include <gmock/gmock.h>

#include <random>
#include <set>

#include "ledger/memory_store.h"
#include "ledger/random_event.h"

namespace cairn::ledger {
namespace {

using ::testing::HasSubstr;

// A log whose tiles are static resources, as a web server would give them.
class StaticLog {
 public:
  explicit StaticLog(uint64_t size, uint64_t seed = 1) {
    std::mt19937_64 random(seed);
    while (events_.size() < size) {
      Bytes event(random() % 40);
      for (uint8_t& byte : event) byte = static_cast<uint8_t>(random());
      tree_.append(leaf_hash(event));
      events_.push_back(std::move(event));
    }
  }

  const MerkleTree& tree() const { return tree_; }
  const std::vector<Bytes>& events() const { return events_; }
  LogHead head(uint64_t size) const { return {size, tree_.root_of(size)}; }

  // By its path, as the resources of the whole log; damaged or gone where a test wants it.
  Result<Bytes> get(const TileId& asked) {
    const std::string path = tile_path(asked);
    fetched_.push_back(path);
    const TileId tile = parse_tile_path(path).value();
    if (gone_.contains(path) || !tile_exists(tile, tree_.size())) return Error{"not found"};
    Bytes bytes = tile.entries ? bundle(tile) : tile_bytes(tree_, tile);
    if (damage_) damage_(tile, bytes);
    return bytes;
  }

  TileReader reader(uint64_t size) {
    return TileReader(head(size), [this](const TileId& tile) { return get(tile); });
  }

  std::vector<std::string> fetched_;
  std::set<std::string> gone_;
  std::function<void(const TileId&, Bytes&)> damage_;

 private:
  Bytes bundle(const TileId& tile) const {
    const auto first = events_.begin() + static_cast<ptrdiff_t>(tile.index * kTileWidth);
    return bundle_bytes(std::vector<Bytes>(first, first + tile.width));
  }

  std::vector<Bytes> events_;
  MerkleTree tree_;
};

TEST(TilePath, IsThatOfTheSpecification) {
  EXPECT_EQ(tile_path({false, 0, 0, 256}), "tile/0/000");
  EXPECT_EQ(tile_path({false, 0, 1'234'067, 256}), "tile/0/x001/x234/067");
  EXPECT_EQ(tile_path({true, 0, 1'234'067, 8}), "tile/entries/x001/x234/067.p/8");
  EXPECT_EQ(tile_path({false, 63, 999, 255}), "tile/63/999.p/255");
  EXPECT_EQ(tile_path({false, 1, 1000, 1}), "tile/1/x001/000.p/1");
  EXPECT_EQ(tile_path({false, 0, UINT64_MAX, 255}), "tile/0/x018/x446/x744/x073/x709/x551/615.p/255");
}

TEST(TilePath, ComesBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    TileId tile;
    tile.entries = random() % 4 == 0;
    tile.level = tile.entries ? 0 : static_cast<uint8_t>(random() % (kMaxTileLevel + 1));
    tile.index = random() >> random() % 64;
    tile.width = 1 + static_cast<uint32_t>(random() % kTileWidth);
    const std::string path = tile_path(tile);
    ASSERT_LE(path.size(), kMaxTilePathSize);
    const auto parsed = parse_tile_path(path);
    ASSERT_TRUE(parsed.ok()) << path;
    ASSERT_EQ(*parsed, tile) << path;
  }
}

TEST(TilePath, HostileOnesAreRefused) {
  for (const char* path : {"",
                           "tile",
                           "tile/",
                           "tile/0",
                           "tile/0/",
                           "/tile/0/000",
                           "tile/0/000/",
                           "tile/0//000",
                           "tile/00/000",
                           "tile/01/000",
                           "tile/64/000",
                           "tile/-1/000",
                           "tile/+1/000",
                           "tile/256/000",
                           "tile/0/0",
                           "tile/0/00",
                           "tile/0/0000",
                           "tile/0/x000",
                           "tile/0/x000/000",
                           "tile/0/000/x001",
                           "tile/0/001/000",
                           "tile/0/x01/000",
                           "tile/0/X001/000",
                           "tile/0/x001/00",
                           "tile/0/x001/x234",
                           "tile/0/000.p",
                           "tile/0/000.p/",
                           "tile/0/000.p/0",
                           "tile/0/000.p/256",
                           "tile/0/000.p/01",
                           "tile/0/000.p/-1",
                           "tile/0/000.p/5/",
                           "tile/0/000.p/5.p/5",
                           "tile/0/000.P/5",
                           "tile/0/000.p/99999999999999999999",
                           "tile/0/..",
                           "tile/../0/000",
                           "tile/0/../../etc/passwd",
                           "tile/0/%30%30%30",
                           "tile/0/000?x=1",
                           "tile/0/000 ",
                           " tile/0/000",
                           "tile/entries",
                           "tile/entries/",
                           "tile/entries/0",
                           "tile/Entries/000",
                           "tile/entries/000.p/256",
                           "tile/0/x018/x446/x744/x073/x709/x551/616",
                           "tile/0/x999/x999/x999/x999/x999/x999/999",
                           "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
                           "checkpoint"}) {
    EXPECT_FALSE(parse_tile_path(path).ok()) << path;
  }
  EXPECT_FALSE(parse_tile_path(std::string_view("tile/0/000\0", 11)).ok());
  EXPECT_FALSE(parse_tile_path("tile/0/" + std::string(1 << 20, '0')).ok());
}

TEST(TilePath, DamagedOnesAreAnotherTileOrNone) {
  std::mt19937_64 random(2);
  constexpr std::string_view kCharacters = "0123456789x/.pentris ";
  for (int i = 0; i < 50'000; ++i) {
    std::string path =
        tile_path({random() % 2 == 0, 0, random() >> random() % 64, 1 + uint32_t(random() % 256)});
    const size_t at = random() % path.size();
    const char c = kCharacters[random() % kCharacters.size()];
    if (random() % 2 == 0) {
      path[at] = c;
    } else {
      path.insert(at, 1, c);
    }
    const auto tile = parse_tile_path(path);
    if (!tile) continue;
    ASSERT_EQ(tile_path(*tile), path);
  }
}

// The example of C2SP tlog-tiles: which tiles a log of 70 000 events has.
TEST(Tiles, ExistAsTheSpecificationCounts) {
  const uint64_t size = 70'000;
  const auto widest = [&](uint8_t level) { return tile_holding(level, (size >> (8 * level)) - 1, size); };
  EXPECT_EQ(widest(0), (TileId{false, 0, 273, 112}));
  EXPECT_EQ(widest(1), (TileId{false, 1, 1, 17}));
  EXPECT_EQ(widest(2), (TileId{false, 2, 0, 1}));
  EXPECT_TRUE(tile_exists({false, 0, 272, 256}, size));
  EXPECT_FALSE(tile_exists({false, 0, 273, 113}, size));
  EXPECT_FALSE(tile_exists({false, 0, 273, 256}, size));
  EXPECT_FALSE(tile_exists({false, 1, 1, 18}, size));
  EXPECT_FALSE(tile_exists({false, 3, 0, 1}, size));
  EXPECT_TRUE(tile_exists({true, 0, 273, 112}, size));
  EXPECT_FALSE(tile_exists({true, 0, 273, 113}, size));
  EXPECT_TRUE(tile_exists({false, 0, 0, 256}, 256));
  EXPECT_TRUE(tile_exists({false, 1, 0, 1}, 256));
}

TEST(Tiles, NoneExistOutsideTheLog) {
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{300}, UINT64_MAX >> 1, UINT64_MAX}) {
    EXPECT_FALSE(tile_exists({false, 0, 0, 0}, size));
    EXPECT_FALSE(tile_exists({false, 0, 0, 257}, size));
    EXPECT_FALSE(tile_exists({false, 8, 0, 1}, size));
    EXPECT_FALSE(tile_exists({false, 63, 0, 1}, size));
    EXPECT_FALSE(tile_exists({false, 0, UINT64_MAX, 1}, size));
    EXPECT_FALSE(tile_exists({false, 0, UINT64_MAX / 256, 256}, size));
    EXPECT_FALSE(tile_exists({true, 1, 0, 1}, size));
  }
  EXPECT_FALSE(tile_exists({false, 0, 0, 1}, 0));
}

// The definition: hash i of tile n at level l is the root of leaves (256n + i)·256^l to (256n + i + 1)·256^l.
TEST(Tiles, HoldTheRootsOfTheirLeaves) {
  StaticLog log(70'000);
  std::mt19937_64 random(1);
  for (uint8_t level = 0; level <= 2; ++level) {
    const uint64_t span = uint64_t{1} << (8 * level);
    for (int i = 0; i < (level == 2 ? 1 : 20); ++i) {
      const TileId tile = tile_holding(level, random() % (70'000 / span), 70'000);
      const auto hashes = parse_tile(tile_bytes(log.tree(), tile), tile.width).value();
      const uint64_t position = random() % tile.width;
      MerkleTree part;
      for (uint64_t leaf = (tile.index * 256 + position) * span; part.size() < span; ++leaf)
        part.append(leaf_hash(log.events()[leaf]));
      ASSERT_EQ(hashes[position], part.root()) << tile_path(tile);
    }
  }
}

TEST(Tiles, OfAStoreAreItsEventsAndItsTree) {
  auto store = open_memory_store(std::make_shared<MemoryDisk>()).value();
  std::mt19937_64 random(1);
  std::vector<Bytes> events;
  {
    auto transaction = store->begin().value();
    for (int i = 0; i < 300; ++i) {
      const Event event = random_event(random);
      events.push_back(encode(event));
      ASSERT_TRUE(transaction.append(event).ok());
    }
    ASSERT_TRUE(transaction.commit().ok());
  }
  EXPECT_EQ(read_tile(*store, {true, 0, 1, 44}).value(), bundle_bytes({events.begin() + 256, events.end()}));
  EXPECT_EQ(read_tile(*store, {true, 0, 0, 3}).value(), bundle_bytes({events.begin(), events.begin() + 3}));
  EXPECT_EQ(read_tile(*store, {false, 0, 1, 44}).value(), tile_bytes(store->tree(), {false, 0, 1, 44}));
  TileReader reader(store->head(), [&](const TileId& tile) { return read_tile(*store, tile); });
  for (const uint64_t index : {0, 255, 256, 299}) EXPECT_EQ(reader.event(index).value(), events[index]);
}

TEST(Bundle, IsLengthsAndBytes) {
  EXPECT_EQ(to_hex(bundle_bytes({{}, {0xab}, {1, 2, 3}})), "00000001ab0003010203");
  const Bytes largest(kMaxEventSize, 7);
  EXPECT_EQ(parse_bundle(bundle_bytes({largest, {}}), 2).value(), (std::vector<Bytes>{largest, {}}));
}

TEST(Bundle, HostileOnesAreRefused) {
  const auto error = [](const char* hex, uint32_t width) {
    const auto events = parse_bundle(*from_hex(hex), width);
    return events ? std::string("accepted") : events.error().message;
  };
  EXPECT_THAT(error("", 1), HasSubstr("event 0 of the bundle: the bundle ends before it"));
  EXPECT_THAT(error("00", 1), HasSubstr("event 0 of the bundle: the bundle ends before it"));
  EXPECT_THAT(error("0001", 1), HasSubstr("event 0 of the bundle: the bundle ends inside it"));
  EXPECT_THAT(error("0001aa0002bb", 2), HasSubstr("event 1 of the bundle: the bundle ends inside it"));
  EXPECT_THAT(error("0001aa", 2), HasSubstr("event 1 of the bundle: the bundle ends before it"));
  EXPECT_THAT(error("0001aa00", 1), HasSubstr("1 bytes after the last event"));
  EXPECT_THAT(error("0001aa0000", 1), HasSubstr("2 bytes after the last event"));
  EXPECT_THAT(error("ffff", 256), HasSubstr("ends inside it"));
  EXPECT_FALSE(parse_bundle(Bytes(kMaxBundleSize + 1), 256).ok());
}

TEST(Bundle, OnlyOneBundleForTheSameEvents) {
  std::mt19937_64 random(3);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random() % 12);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 3);
    const auto width = static_cast<uint32_t>(1 + random() % 4);
    const auto events = parse_bundle(bytes, width);
    if (!events) continue;
    ++accepted;
    ASSERT_EQ(events->size(), width);
    ASSERT_EQ(bundle_bytes(*events), bytes);
  }
  EXPECT_GT(accepted, 100);
}

TEST(Tiles, OfAnotherSizeAreRefused) {
  for (const size_t size : {0, 31, 32, 63, 65, 96, 8192})
    EXPECT_FALSE(parse_tile(Bytes(size), 2).ok()) << size;
  EXPECT_TRUE(parse_tile(Bytes(64), 2).ok());
}

// The eight leaves and the roots that implementations of RFC 6962 share as known answers.
TEST(TileReader, ProvesThePublishedVectors) {
  const char* const leaves[] = {
      "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};
  MerkleTree tree;
  for (const char* leaf : leaves) tree.append(leaf_hash(*from_hex(leaf)));
  const LogHead head{8,
                     *Digest::from_hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")};
  TileReader reader(head, [&](const TileId& tile) -> Result<Bytes> { return tile_bytes(tree, tile); });
  const auto inclusion = reader.inclusion_proof(5, leaf_hash(*from_hex(leaves[5]))).value();
  ASSERT_EQ(inclusion.size(), 3);
  EXPECT_EQ(inclusion[0].hex(), "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
  EXPECT_EQ(inclusion[1].hex(), "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
  EXPECT_EQ(inclusion[2].hex(), "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
  const LogHead six{6, *Digest::from_hex("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef")};
  const auto consistency = reader.consistency_proof(six).value();
  ASSERT_EQ(consistency.size(), 3);
  EXPECT_EQ(consistency[0].hex(), "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
}

TEST(TileReader, GivesTheProofsOfTheTree) {
  StaticLog log(70'000);
  std::mt19937_64 random(1);
  for (int i = 0; i < 400; ++i) {
    const uint64_t size = 1 + random() % (i % 2 == 0 ? 70'000 : 1000);
    const uint64_t index = random() % size;
    const uint64_t old_size = random() % (size + 1);
    TileReader reader = log.reader(size);
    const auto inclusion = reader.inclusion_proof(index, log.tree().subtree({0, index}));
    ASSERT_TRUE(inclusion.ok()) << inclusion.error().message;
    ASSERT_EQ(*inclusion, log.tree().inclusion_proof(index, size));
    const auto consistency = reader.consistency_proof(log.head(old_size));
    ASSERT_TRUE(consistency.ok()) << consistency.error().message;
    ASSERT_EQ(*consistency, log.tree().consistency_proof(old_size, size));
    ASSERT_EQ(reader.event(index).value(), log.events()[index]);
  }
}

TEST(TileReader, ReadsEverySmallLogWhole) {
  StaticLog log(600);
  for (uint64_t size = 1; size <= 600; size += size < 250 || (size > 260 && size < 505) ? 17 : 1) {
    TileReader reader = log.reader(size);
    std::vector<Bytes> events;
    while (events.size() < size) {
      const auto more = reader.events_from(events.size());
      ASSERT_TRUE(more.ok()) << more.error().message;
      events.insert(events.end(), more->begin(), more->end());
    }
    ASSERT_EQ(events,
              std::vector<Bytes>(log.events().begin(), log.events().begin() + static_cast<long>(size)));
  }
}

// A client must not ask for partial tiles that its checkpoint does not require.
TEST(TileReader, AsksOnlyForTilesOfItsLog) {
  StaticLog log(2000);
  const uint64_t size = 1500;
  TileReader reader = log.reader(size);
  for (uint64_t index = 0; index < size; index += 100) ASSERT_TRUE(reader.event(index).ok());
  for (const std::string& path : log.fetched_) {
    const TileId tile = parse_tile_path(path).value();
    const TileId needed = tile.entries ? bundle_holding(tile.index * 256, size)
                                       : tile_holding(tile.level, tile.index * 256, size);
    EXPECT_EQ(tile, needed) << path;
  }
}

TEST(TileReader, ReadsFullTilesWherePartialOnesAreGone) {
  StaticLog log(600);
  TileReader reader = log.reader(300);
  log.gone_ = {"tile/0/001.p/44", "tile/entries/001.p/44"};
  EXPECT_EQ(reader.event(299).value(), log.events()[299]);  // the full ones hold more than the log
  EXPECT_EQ(reader.event(0).value(), log.events()[0]);
  log.gone_.insert("tile/1/000.p/1");  // of which the longer log has no full one
  EXPECT_THAT(log.reader(300).event(299).error().message, HasSubstr("tile/1/000.p/1: not found"));
}

TEST(TileReader, NamesATileThatIsGone) {
  StaticLog log(600);
  TileReader reader = log.reader(600);
  log.gone_ = {"tile/entries/000", "tile/0/001"};
  EXPECT_THAT(reader.event(5).error().message, HasSubstr("tile/entries/000: not found"));
  EXPECT_THAT(reader.inclusion_proof(300, log.tree().subtree({0, 300})).error().message,
              HasSubstr("tile/0/001: not found"));
}

TEST(TileReader, RefusesWhatLiesOutsideTheLog) {
  StaticLog log(600);
  TileReader reader = log.reader(300);
  EXPECT_THAT(reader.event(300).error().message, HasSubstr("has 300 events, none at 300"));
  EXPECT_FALSE(reader.inclusion_proof(300, log.tree().subtree({0, 300})).ok());
  EXPECT_FALSE(reader.event(UINT64_MAX).ok());
  EXPECT_THAT(reader.consistency_proof(log.head(301)).error().message,
              HasSubstr("is longer than that of 300"));
  EXPECT_FALSE(TileReader({0, sha256({})}, nullptr).event(0).ok());
  EXPECT_TRUE(reader.consistency_proof({0, sha256({})}).ok());
}

TEST(TileReader, BelievesNoTileThatIsChanged) {
  StaticLog log(5000);
  std::mt19937_64 random(4);
  for (int i = 0; i < 300; ++i) {
    const uint64_t size = 300 + random() % 4700;
    const uint64_t index = random() % size;
    const uint64_t old_size = 1 + random() % (size - 1);
    const bool cut = random() % 4 == 0;
    const uint64_t bit = random();
    log.damage_ = [&](const TileId& tile, Bytes& bytes) {
      if (tile.entries) return;
      if (cut) bytes.pop_back();
      // The whole of every tile, so that whatever hash the proof needs is another one.
      for (size_t at = bit % 32; at < bytes.size(); at += 32)
        bytes[at] ^= static_cast<uint8_t>(1 << (bit >> 8) % 8);
    };
    TileReader reader = log.reader(size);
    ASSERT_FALSE(reader.inclusion_proof(index, log.tree().subtree({0, index})).ok());
    ASSERT_FALSE(reader.event(index).ok());
    const bool needs_tiles = !log.tree().consistency_proof(old_size, size).empty();
    ASSERT_TRUE(!needs_tiles || !reader.consistency_proof(log.head(old_size)).ok());
    log.damage_ = nullptr;  // the reader does not keep what proved false
    ASSERT_TRUE(reader.event(index).ok());
  }
}

TEST(TileReader, BelievesNoEventThatIsChanged) {
  StaticLog log(1000);
  std::mt19937_64 random(5);
  for (int i = 0; i < 300; ++i) {
    const uint64_t size = 1 + random() % 1000;
    const uint64_t index = random() % size;
    const uint64_t word = random();
    log.damage_ = [&](const TileId& tile, Bytes& bytes) {
      if (tile.entries) bytes[word % bytes.size()] ^= static_cast<uint8_t>(1 << (word >> 32) % 8);
    };
    const auto event = log.reader(size).event(index);
    ASSERT_FALSE(event.ok());
    EXPECT_THAT(event.error().message, HasSubstr("tile/entries/"));
  }
}

TEST(TileReader, ProvesNoOtherHistory) {
  StaticLog log(1000);
  const StaticLog other(1000, 2);
  TileReader reader = log.reader(1000);
  EXPECT_THAT(reader.consistency_proof(other.head(700)).error().message,
              HasSubstr("do not prove that the log of 700 events that was seen before is the beginning"));
  EXPECT_FALSE(reader.consistency_proof(other.head(1000)).ok());
  EXPECT_FALSE(reader.inclusion_proof(5, other.tree().subtree({0, 5})).ok());
  EXPECT_TRUE(reader.consistency_proof(log.head(700)).ok());
}

}  // namespace
}  // namespace cairn::ledger
