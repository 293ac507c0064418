#include "ledger/tiles.h"

#include <algorithm>
#include <charconv>

namespace cairn::ledger {
namespace {

constexpr std::string_view kPrefix = "tile/";
constexpr std::string_view kEntries = "entries";
constexpr std::string_view kPartial = ".p/";

// Three digits for each path element, all but the last after an x: 1234067 is "x001/x234/067".
std::string index_path(uint64_t index) {
  std::string digits = std::to_string(index);
  digits.insert(0, (3 - digits.size() % 3) % 3, '0');
  std::string path;
  for (size_t i = 0; i + 3 < digits.size(); i += 3) path.append("x").append(digits, i, 3).append("/");
  return path.append(digits, digits.size() - 3, 3);
}

// How many hashes of that level a log of `size` events has.
uint64_t level_size(uint8_t level, uint64_t size) {
  return level * kTileHeight < 64 ? size >> (level * kTileHeight) : 0;
}

std::optional<uint64_t> decimal(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Reads more than tile_path() writes; parse_tile_path() compares.
std::optional<TileId> read_path(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  TileId tile;
  if (const size_t dot = path.find(kPartial); dot != std::string_view::npos) {
    const auto width = decimal(path.substr(dot + kPartial.size()));
    if (!width || *width < 1 || *width >= kTileWidth) return std::nullopt;
    tile.width = static_cast<uint32_t>(*width);
    path = path.substr(0, dot);
  }
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  tile.entries = path.substr(0, slash) == kEntries;
  const auto level = tile.entries ? 0 : decimal(path.substr(0, slash));
  if (!level || *level > kMaxTileLevel) return std::nullopt;
  tile.level = static_cast<uint8_t>(*level);
  std::string digits(path.substr(slash + 1));
  std::erase_if(digits, [](char c) { return c == 'x' || c == '/'; });
  const auto index = decimal(digits);
  if (!index) return std::nullopt;
  tile.index = *index;
  return tile;
}

Error wrong_size(size_t found, const std::string& expected) {
  return Error{std::to_string(found) + " bytes where " + expected};
}

}  // namespace

std::string tile_path(const TileId& tile) {
  std::string path(kPrefix);
  path.append(tile.entries ? kEntries : std::to_string(tile.level))
      .append("/")
      .append(index_path(tile.index));
  if (tile.width < kTileWidth) path.append(kPartial).append(std::to_string(tile.width));
  return path;
}

Result<TileId> parse_tile_path(std::string_view path) {
  const Error error{
      "no path of a tile: it reads tile/LEVEL/INDEX or tile/entries/INDEX, as C2SP tlog-tiles says"};
  if (path.size() > kMaxTilePathSize) return error;
  const std::optional<TileId> tile = read_path(path);
  if (!tile || tile_path(*tile) != path) return error;
  return *tile;
}

bool tile_exists(const TileId& tile, uint64_t size) {
  if (tile.width < 1 || tile.width > kTileWidth || (tile.entries && tile.level != 0)) return false;
  const uint64_t hashes = level_size(tile.level, size);
  return tile.index <= hashes / kTileWidth && tile.width <= hashes - tile.index * kTileWidth;
}

Bytes tile_bytes(const MerkleTree& tree, const TileId& tile) {
  CAIRN_ASSERT(!tile.entries && tile_exists(tile, tree.size()));
  Bytes bytes;
  bytes.reserve(size_t{tile.width} * 32);
  for (uint32_t i = 0; i < tile.width; ++i) {
    const Digest& hash = tree.subtree({tile.level * kTileHeight, tile.index * kTileWidth + i});
    bytes.insert(bytes.end(), hash.bytes.begin(), hash.bytes.end());
  }
  return bytes;
}

Bytes bundle_bytes(const std::vector<Bytes>& events) {
  CAIRN_ASSERT(!events.empty() && events.size() <= kTileWidth);
  Bytes bytes;
  for (const Bytes& event : events) {
    CAIRN_ASSERT(event.size() <= kMaxEventSize);
    bytes.push_back(static_cast<uint8_t>(event.size() >> 8));
    bytes.push_back(static_cast<uint8_t>(event.size()));
    bytes.insert(bytes.end(), event.begin(), event.end());
  }
  return bytes;
}

Result<Bytes> read_tile(const Store& store, const TileId& tile) {
  CAIRN_ASSERT(tile_exists(tile, store.size()));
  if (!tile.entries) return tile_bytes(store.tree(), tile);
  CAIRN_TRY(const auto events, store.read_bytes(tile.index * kTileWidth, tile.width));
  return bundle_bytes(events);
}

TileId tile_holding(uint8_t level, uint64_t position, uint64_t size) {
  const uint64_t hashes = level_size(level, size);
  CAIRN_ASSERT(position < hashes);
  const uint64_t index = position / kTileWidth;
  const uint64_t width = std::min<uint64_t>(kTileWidth, hashes - index * kTileWidth);
  return {false, level, index, static_cast<uint32_t>(width)};
}

TileId bundle_holding(uint64_t index, uint64_t size) {
  TileId bundle = tile_holding(0, index, size);
  bundle.entries = true;
  return bundle;
}

Result<std::vector<Digest>> parse_tile(BytesView bytes, uint32_t width) {
  const size_t expected = size_t{width} * 32;
  if (bytes.size() != expected)
    return wrong_size(bytes.size(), "a tile of that width has " + std::to_string(expected));
  std::vector<Digest> hashes(width);
  for (size_t i = 0; i < width; ++i) std::copy_n(bytes.begin() + i * 32, 32, hashes[i].bytes.begin());
  return hashes;
}

Result<std::vector<Bytes>> parse_bundle(BytesView bytes, uint32_t width) {
  if (bytes.size() > kMaxBundleSize) return wrong_size(bytes.size(), "a bundle has fewer");
  std::vector<Bytes> events;
  for (uint32_t i = 0; i < width; ++i) {
    const std::string event = "event " + std::to_string(i) + " of the bundle";
    if (bytes.size() < 2) return Error{event + ": the bundle ends before it"};
    const size_t size = size_t{bytes[0]} << 8 | bytes[1];
    bytes = bytes.subspan(2);
    if (bytes.size() < size) return Error{event + ": the bundle ends inside it"};
    events.emplace_back(bytes.begin(), bytes.begin() + size);
    bytes = bytes.subspan(size);
  }
  if (!bytes.empty())
    return Error{std::to_string(bytes.size()) + " bytes after the last event of the bundle"};
  return events;
}

Result<TileReader::Resource> TileReader::fetch(const TileId& id) {
  auto bytes = fetch_(id);
  if (bytes) return Resource{id.width, std::move(bytes).value()};
  const Error error = bytes.error().within(tile_path(id));
  if (id.width == kTileWidth) return error;
  TileId full = id;  // a log may drop a partial tile once the full one is there
  full.width = kTileWidth;
  bytes = fetch_(full);
  if (!bytes) return error;
  return Resource{kTileWidth, std::move(bytes).value()};
}

Result<const std::vector<Digest>*> TileReader::tile(const TileId& id) {
  const auto key = std::make_pair(id.level, id.index);
  if (const auto found = tiles_.find(key); found != tiles_.end()) return &found->second;
  CAIRN_TRY(const Resource resource, fetch(id));
  auto hashes = parse_tile(resource.bytes, resource.width);
  if (!hashes) return hashes.error().within(tile_path(id));
  if (tiles_.size() >= kMaxCachedTiles) tiles_.clear();
  return &tiles_.emplace(key, std::move(hashes).value()).first->second;
}

Result<Digest> TileReader::subtree(const Subtree& subtree) {
  const auto level = static_cast<uint8_t>(subtree.level / kTileHeight);
  const unsigned above = subtree.level % kTileHeight;  // levels above the hashes of the tile
  const uint64_t first = subtree.index << above;
  CAIRN_TRY(const std::vector<Digest>* hashes, tile(tile_holding(level, first, head_.size)));
  const auto begin = hashes->begin() + static_cast<ptrdiff_t>(first % kTileWidth);
  MerkleTree leaves;
  std::for_each(begin, begin + (ptrdiff_t{1} << above), [&](const Digest& hash) { leaves.append(hash); });
  return leaves.root();
}

Result<std::vector<Digest>> TileReader::hashes(const std::vector<LeafRange>& ranges) {
  std::vector<Digest> result;
  for (const LeafRange& range : ranges) {
    std::vector<Digest> parts;
    for (const Subtree& part : complete_subtrees(range)) {
      CAIRN_TRY(const Digest hash, subtree(part));
      parts.push_back(hash);
    }
    result.push_back(hash_of_subtrees(parts));
  }
  return result;
}

Result<std::vector<Digest>> TileReader::inclusion_proof(uint64_t index, const Digest& leaf) {
  if (index >= head_.size)
    return Error{"the log has " + std::to_string(head_.size) + " events, none at " + std::to_string(index)};
  CAIRN_TRY(auto proof, hashes(inclusion_ranges(index, head_.size)));
  if (inclusion_valid(leaf, index, head_.size, head_.root, proof)) return proof;
  tiles_.clear();  // they may be false, and better ones may come
  return Error{"the tiles do not prove that event " + std::to_string(index) + " is leaf " + leaf.hex() +
               " in the log of " + std::to_string(head_.size) + " events"};
}

Result<std::vector<Digest>> TileReader::consistency_proof(const LogHead& old_head) {
  const std::string heads = "the log of " + std::to_string(old_head.size) + " events that was seen before";
  if (old_head.size > head_.size)
    return Error{heads + " is longer than that of " + std::to_string(head_.size)};
  CAIRN_TRY(auto proof, hashes(consistency_ranges(old_head.size, head_.size)));
  if (consistency_valid(old_head.size, old_head.root, head_.size, head_.root, proof)) return proof;
  tiles_.clear();
  return Error{"the tiles do not prove that " + heads + " is the beginning of that of " +
               std::to_string(head_.size)};
}

Result<TileReader::Prefix> TileReader::prefix(uint64_t size) {
  if (size < 1 || size > head_.size)
    return Error{"the log of " + std::to_string(head_.size) + " events has no beginning of " +
                 std::to_string(size)};
  CAIRN_TRY(const auto roots, hashes({{0, size}}));
  Prefix prefix{{size, roots[0]}, {}};
  CAIRN_TRY(prefix.proof, consistency_proof(prefix.head));
  return prefix;
}

// Over groups of 256 leaves the tree has the same form as over single ones, so a bundle is proved like a leaf
// whose hash is the root of its events.
Status TileReader::check_bundle(uint64_t number, const std::vector<Bytes>& events) {
  MerkleTree leaves;
  for (const Bytes& event : events) leaves.append(leaf_hash(event));
  const uint64_t groups = (head_.size - 1) / kTileWidth + 1;
  std::vector<LeafRange> ranges = inclusion_ranges(number, groups);
  for (LeafRange& range : ranges) {
    range.begin *= kTileWidth;
    range.end = range.end == groups ? head_.size : range.end * kTileWidth;
  }
  CAIRN_TRY(const auto proof, hashes(ranges));
  if (inclusion_valid(leaves.root(), number, groups, head_.root, proof)) return {};
  tiles_.clear();
  return Error{"its events are not those of the log of " + std::to_string(head_.size) +
               " events, or the tiles are not"};
}

Result<std::vector<Bytes>> TileReader::events_from(uint64_t index) {
  if (index >= head_.size)
    return Error{"the log has " + std::to_string(head_.size) + " events, none at " + std::to_string(index)};
  const TileId id = bundle_holding(index, head_.size);
  CAIRN_TRY(const Resource resource, fetch(id));
  auto events = parse_bundle(resource.bytes, resource.width);
  if (!events) return events.error().within(tile_path(id));
  events->resize(id.width);
  if (const Status status = check_bundle(id.index, *events); !status)
    return status.error().within(tile_path(id));
  events->erase(events->begin(), events->begin() + static_cast<ptrdiff_t>(index % kTileWidth));
  return events;
}

Result<Bytes> TileReader::event(uint64_t index) {
  CAIRN_TRY(std::vector<Bytes> events, events_from(index));
  return std::move(events.front());
}

}  // namespace cairn::ledger
