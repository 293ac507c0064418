// The log as static resources: C2SP tlog-tiles. A tile holds 256 neighbouring hashes of every eighth level of
// the Merkle tree, an entry bundle the events under one tile of leaves. Once written they never change, so
// that any cache or web server may serve them, and a client computes every proof from them by itself.
//
// docs/formats/tlog.md. The writer's functions are as safe between threads as the Store that they read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/merkle.h"
#include "ledger/store.h"

namespace cairn::ledger {

inline constexpr uint32_t kTileWidth = 256;   // hashes in a full tile, events in a full bundle
inline constexpr uint32_t kTileHeight = 8;    // levels of the tree in a tile
inline constexpr uint8_t kMaxTileLevel = 63;  // in a path; no log has tiles above level 7
inline constexpr size_t kMaxTilePathSize = 64;
inline constexpr size_t kMaxCachedTiles = 256;  // by a TileReader: 2 MiB
inline constexpr size_t kMaxTileSize = size_t{kTileWidth} * 32;
inline constexpr size_t kMaxBundleSize = size_t{kTileWidth} * (2 + kMaxEventSize);

// A tile, or an entry bundle.
struct TileId {
  bool entries = false;         // a bundle; its level is 0
  uint8_t level = 0;            // its hashes are those of subtrees of 256^level leaves
  uint64_t index = 0;           // within the level
  uint32_t width = kTileWidth;  // hashes or events that it holds, 1 to 256; less than 256: a partial one
  bool operator==(const TileId&) const = default;
};

// "tile/1/x001/x234/067.p/5", "tile/entries/000": relative to the log's URL. The parser accepts exactly what
// tile_path() writes.
std::string tile_path(const TileId& tile);
Result<TileId> parse_tile_path(std::string_view path);

// -- The side that serves
// --------------------------------------------------------------------------------------------

// Whether a log of that many events has it. Every partial tile that some smaller log had is still there.
bool tile_exists(const TileId& tile, uint64_t size);

// The bytes to serve, of a tile or a bundle. Precondition: tile_exists(tile, store.size()).
Result<Bytes> read_tile(const Store& store, const TileId& tile);

// Precondition: !tile.entries and tile_exists(tile, tree.size()).
Bytes tile_bytes(const MerkleTree& tree, const TileId& tile);

// Precondition: 1 to 256 events of at most 65 535 bytes.
Bytes bundle_bytes(const std::vector<Bytes>& events);

// -- The side that reads
// ---------------------------------------------------------------------------------------------

// The tile of that level (or bundle) that holds position `position` of its level, as wide as a log of `size`
// events has it. Precondition: position < size / 256^level.
TileId tile_holding(uint8_t level, uint64_t position, uint64_t size);
TileId bundle_holding(uint64_t index, uint64_t size);

// Exactly `width` hashes or events; anything else is refused. The events are bytes, not yet decoded.
Result<std::vector<Digest>> parse_tile(BytesView bytes, uint32_t width);
Result<std::vector<Bytes>> parse_bundle(BytesView bytes, uint32_t width);

// Gets a tile's or a bundle's bytes from wherever they lie: a web server, a folder.
using FetchTile = std::function<Result<Bytes>(const TileId&)>;

// Reads a log of a known head from tiles, and believes nothing: what it returns is proved against the head.
// Partial tiles that are gone are read from the full ones. Keeps the tiles that it read, up to a limit. One
// thread at a time.
class TileReader {
 public:
  TileReader(const LogHead& head, FetchTile fetch) : head_(head), fetch_(std::move(fetch)) {}

  const LogHead& head() const { return head_; }

  // Proofs for the head, valid as merkle.h checks them. Refused where index or size lie outside the log, and
  // where the tiles are not those of the head.
  Result<std::vector<Digest>> inclusion_proof(uint64_t index, const Digest& leaf);
  Result<std::vector<Digest>> consistency_proof(const LogHead& old_head);

  // The first `size` events as this log has them, and the proof that they are its beginning.
  struct Prefix {
    LogHead head;
    std::vector<Digest> proof;
  };
  Result<Prefix> prefix(uint64_t size);

  // The bytes of the event at that index, proved to be there.
  Result<Bytes> event(uint64_t index);

  // All events of the bundle that holds `index`, from `index` on, proved to be there. So a follower that asks
  // for the event after the last it got reads every bundle once.
  Result<std::vector<Bytes>> events_from(uint64_t index);

 private:
  struct Resource {
    uint32_t width = 0;  // of what was found: that of the tile asked for, or 256
    Bytes bytes;
  };
  Result<Resource> fetch(const TileId& id);
  Result<const std::vector<Digest>*> tile(const TileId& id);
  Result<Digest> subtree(const Subtree& subtree);
  Result<std::vector<Digest>> hashes(const std::vector<LeafRange>& ranges);
  Status check_bundle(uint64_t number, const std::vector<Bytes>& events);

  LogHead head_;
  FetchTile fetch_;
  std::map<std::pair<uint8_t, uint64_t>, std::vector<Digest>> tiles_;  // by level and index
};

}  // namespace cairn::ledger
