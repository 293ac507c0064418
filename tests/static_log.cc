#include "static_log.h"

#include <random>

#include "base/file.h"
#include "ledger/random_event.h"
#include "ledger/tiles.h"

namespace cairn::tests {
namespace {

using namespace ledger;

SigningKey key_number(uint64_t seed, uint8_t number) {
  std::array<uint8_t, 32> bytes{};
  bytes[0] = static_cast<uint8_t>(seed);
  bytes[1] = number;
  return SigningKey::from_seed(bytes);
}

std::vector<Event> made_up_events(uint64_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  RandomArchive archive(random);
  Genesis genesis;
  archive("", genesis.name);
  genesis.coordinator = key_number(seed, 0).public_key();
  genesis.root = key_number(seed, 1).public_key();
  int64_t time = 1'700'000'000'000;
  std::vector<Event> events{{time, sign_statement(key_number(seed, 1), {}, {0, sha256({})}, genesis)}};
  const Digest project = statement_digest(events[0].statement);
  while (events.size() < size) {
    Body body;
    archive.body_at(body, events.size() % std::variant_size_v<Body>);
    time += static_cast<int64_t>(random() % 100'000);
    const SigningKey author = key_number(seed, static_cast<uint8_t>(random() % 5));
    events.push_back({time, sign_statement(author, project, {1, sha256({})}, body)});
  }
  return events;
}

void write(const std::filesystem::path& folder, const std::string& path, BytesView bytes) {
  std::filesystem::create_directories((folder / path).parent_path());
  CAIRN_ASSERT(write_file(folder / path, bytes).ok());
}

}  // namespace

StaticLog write_static_log(const std::filesystem::path& folder, uint64_t size, uint64_t seed) {
  StaticLog log;
  log.events = made_up_events(size, seed);
  const Digest project = statement_digest(log.events[0].statement);
  log.key = log_key(project, key_number(seed, 0).public_key());
  MerkleTree tree;
  std::vector<Bytes> leaves;
  for (const Event& event : log.events) {
    leaves.push_back(encode(event));
    tree.append(leaf_hash(leaves.back()));
  }
  write(folder, "checkpoint", as_bytes(sign_checkpoint(project, {size, tree.root()}, key_number(seed, 0))));
  for (uint8_t level = 0; size >> (8 * level) > 0; ++level) {
    for (uint64_t first = 0; first < size >> (8 * level); first += kTileWidth) {
      const TileId tile = tile_holding(level, first, size);
      write(folder, tile_path(tile), tile_bytes(tree, tile));
    }
  }
  for (uint64_t first = 0; first < size; first += kTileWidth) {
    const TileId bundle = bundle_holding(first, size);
    const auto begin = leaves.begin() + static_cast<ptrdiff_t>(first);
    write(folder, tile_path(bundle), bundle_bytes({begin, begin + bundle.width}));
  }
  return log;
}

}  // namespace cairn::tests
