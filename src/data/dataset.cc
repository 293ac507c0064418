#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "data/shard_cache.h"

namespace cairn::data {
namespace {

// Indexes get this part of the cache: they are far smaller than samples, and asked for without them.
constexpr uint64_t kIndexPart = 8;
constexpr uint64_t kPageCache = 8 << 20;  // bytes: the pages of a split of the most shards

using Page = std::vector<Shard>;

// A sample's place.
struct Position {
  uint64_t number;  // of its shard in the split
  Shard shard;
  uint32_t within;
};

// Where a name may be found; the names themselves would take many times the memory.
struct NameHash {
  size_t hash;
  uint32_t image;
  auto operator<=>(const NameHash&) const = default;
};

uint64_t size_of_chunk(const Bytes& bytes) {
  return bytes.size();
}

uint64_t size_of_page(const Page& page) {
  return page.size() * sizeof(Shard);
}

uint64_t size_of_index(const Index& index) {
  uint64_t size = index.entries.size() * sizeof(IndexEntry) + index.chunks.size() * sizeof(Digest);
  for (const IndexEntry& entry : index.entries) size += entry.name.size();
  return size;
}

size_t hash_of(std::string_view name) {
  return std::hash<std::string_view>()(name);
}

// The training sample that numbered_name() calls so.
std::optional<uint32_t> numbered(std::string_view name, uint32_t count) {
  const std::string_view digits = name.substr(std::min(name.size(), name.find('-') + 1));
  uint32_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (number == 0 || number > count || numbered_name(Split::train, number - 1, count) != name) return {};
  return number - 1;
}

Error damaged(const Shard& shard, const std::string& what) {
  return {"shard " + shard.samples.hex() + ": " + what + "; delete the file and fetch it again"};
}

}  // namespace

struct DataSet::State {
  Manifest manifest;
  const ShardSource& source;
  std::array<std::vector<uint32_t>, 2> counts;  // of each group
  std::array<std::vector<uint32_t>, 2> starts;  // the first sample of each group, and the count
  ShardCache<Page> pages;
  ShardCache<Bytes> chunks;
  ShardCache<Index> indexes;
  std::mutex names_mutex;
  std::vector<NameHash> names;  // sorted; empty until a name is looked for

  State(Manifest m, const ShardSource& s, uint64_t cache)
      : manifest(std::move(m)),
        source(s),
        pages(kPageCache, size_of_page),
        chunks(cache - cache / kIndexPart, size_of_chunk),
        indexes(cache / kIndexPart, size_of_index) {
    for (size_t split = 0; split < 2; ++split) {
      starts[split] = {0};
      for (const Group& group : manifest.groups[split]) {
        counts[split].push_back(group.count);
        starts[split].push_back(starts[split].back() + group.count);
      }
    }
  }

  size_t group_of(Split split, uint32_t index) const {
    const std::vector<uint32_t>& begins = starts[static_cast<size_t>(split)];
    CAIRN_ASSERT(index < begins.back());
    return static_cast<size_t>(std::ranges::upper_bound(begins, index) - begins.begin() - 1);
  }

  // Shards are told apart by their place and not by digest: two that share a blob may claim different counts.
  static uint64_t key(Split split, uint64_t number) {
    return uint64_t{static_cast<uint8_t>(split)} << 48 | number;
  }

  Result<std::shared_ptr<const Page>> read_page(Split split, size_t number) {
    const Group& group = manifest.of(split)[number];
    return pages.get(key(split, number), [&]() -> Result<Page> {
      CAIRN_TRY(const Bytes bytes, source.get(group.page, kMaxPageSize));
      return decode_page(bytes, manifest, group);
    });
  }

  Result<Position> locate(Split split, uint32_t index) {
    const size_t group = group_of(split, index);
    CAIRN_TRY(const auto page, read_page(split, group));
    uint32_t within = index - starts[static_cast<size_t>(split)][group];
    size_t number = 0;
    while (within >= (*page)[number].count) within -= (*page)[number++].count;
    return Position{group * kGroupShards + number, (*page)[number], within};
  }

  Result<std::shared_ptr<const Index>> read_index(Split split, const Position& place) {
    return indexes.get(key(split, place.number), [&]() -> Result<Index> {
      CAIRN_TRY(const Bytes bytes, source.get(place.shard.index, kMaxShardSize));
      return decode_index(bytes, manifest, place.shard.count);
    });
  }

  Result<std::shared_ptr<const Bytes>> read_chunk(Split split, const Position& place, uint32_t number) {
    constexpr uint64_t kChunks = kMaxShardSize / kChunkSize;
    return chunks.get(key(split, place.number * kChunks + number), [&]() -> Result<Bytes> {
      CAIRN_TRY(const auto index, read_index(split, place));
      const uint64_t size = place.shard.count * manifest.sample_size();
      CAIRN_TRY(Bytes bytes, source.chunk(place.shard.samples, size, number));
      if (sha256(bytes) == index->chunks[number]) return bytes;
      return damaged(place.shard, "its samples are not those of the index");
    });
  }

  Status read_names() {
    std::lock_guard lock(names_mutex);
    if (!names.empty()) return {};
    std::vector<NameHash> found;
    for (size_t group = 0; group < manifest.of(Split::train).size(); ++group) {
      CAIRN_TRY(const auto page, read_page(Split::train, group));
      for (size_t i = 0; i < page->size(); ++i) {
        CAIRN_TRY(const auto index, read_index(Split::train, {group * kGroupShards + i, (*page)[i], 0}));
        for (const IndexEntry& entry : index->entries) {
          found.push_back({hash_of(entry.name), static_cast<uint32_t>(found.size())});
        }
      }
    }
    std::ranges::sort(found);
    names = std::move(found);
    return {};
  }
};

Result<DataSet> DataSet::open(const Digest& manifest, const BlobSource& manifests, const ShardSource& shards,
                              uint64_t cache) {
  CAIRN_TRY(const Bytes bytes, manifests.get(manifest, kMaxManifestSize));
  CAIRN_TRY(Manifest decoded, decode_manifest(bytes));
  return DataSet(std::move(decoded), shards, cache);
}

DataSet::DataSet(Manifest manifest, const ShardSource& shards, uint64_t cache)
    : state_(std::make_unique<State>(std::move(manifest), shards, cache)) {}
DataSet::DataSet(DataSet&&) noexcept = default;
DataSet::~DataSet() = default;

const Manifest& DataSet::manifest() const {
  return state_->manifest;
}

uint32_t DataSet::count(Split split) const {
  return state_->starts[static_cast<size_t>(split)].back();
}

const std::vector<uint32_t>& DataSet::groups(Split split) const {
  return state_->counts[static_cast<size_t>(split)];
}

std::vector<Part> DataSet::pages_of(Split split, std::span<const uint32_t> samples) const {
  std::set<size_t> groups;
  for (const uint32_t sample : samples) groups.insert(state_->group_of(split, sample));
  std::vector<Part> parts;
  for (const size_t group : groups) parts.push_back({manifest().of(split)[group].page, kMaxPageSize});
  return parts;
}

Result<std::vector<Part>> DataSet::parts_of(Split split, std::span<const uint32_t> samples) const {
  constexpr uint64_t kIndexEntry = sizeof(uint16_t) + sizeof(uint32_t) + kMaxNameSize;
  std::map<uint64_t, Shard> shards;
  for (const uint32_t sample : samples) {
    CAIRN_TRY(const Position place, state_->locate(split, sample));
    shards[place.number] = place.shard;
  }
  std::vector<Part> parts = pages_of(split, samples);
  for (const auto& [number, shard] : shards) {
    const uint64_t size = shard.count * manifest().sample_size();
    const uint64_t entries = manifest().kind == Kind::images ? shard.count * kIndexEntry : 0;
    parts.push_back({shard.samples, size});
    parts.push_back({shard.index, 8 + (size / kChunkSize + 1) * sizeof(Digest) + entries});
  }
  return parts;
}

Result<std::vector<Shard>> DataSet::shards(Split split, size_t group) const {
  CAIRN_TRY(const auto page, state_->read_page(split, group));
  return *page;
}

Result<uint16_t> DataSet::label(Split split, uint32_t index) const {
  if (manifest().kind == Kind::text) return uint16_t{0};
  CAIRN_TRY(const Position place, state_->locate(split, index));
  CAIRN_TRY(const auto entries, state_->read_index(split, place));
  return entries->entries[place.within].label;
}

Result<std::string> DataSet::name(Split split, uint32_t index) const {
  if (manifest().kind == Kind::text) return numbered_name(split, index, count(split));
  CAIRN_TRY(const Position place, state_->locate(split, index));
  CAIRN_TRY(const auto entries, state_->read_index(split, place));
  return entries->entries[place.within].name;
}

Result<Bytes> DataSet::sample(Split split, uint32_t index) const {
  CAIRN_TRY(const Position place, state_->locate(split, index));
  const uint64_t size = manifest().sample_size();
  const uint64_t first = place.within * size, end = first + size;
  Bytes bytes;
  bytes.reserve(size);
  while (bytes.size() < size) {
    const uint64_t at = first + bytes.size();
    CAIRN_TRY(const auto chunk, state_->read_chunk(split, place, static_cast<uint32_t>(at / kChunkSize)));
    const uint64_t count = std::min(end - at, kChunkSize - at % kChunkSize);
    const auto begin = chunk->begin() + static_cast<ptrdiff_t>(at % kChunkSize);
    bytes.insert(bytes.end(), begin, begin + static_cast<ptrdiff_t>(count));
  }
  return bytes;
}

Result<uint32_t> DataSet::find(std::string_view name) const {
  const Error missing{"there is no training sample named " + std::string(name)};
  if (manifest().kind == Kind::text) {
    const std::optional<uint32_t> index = numbered(name, count(Split::train));
    return index ? Result<uint32_t>(*index) : missing;
  }
  CAIRN_CHECK(state_->read_names());
  const size_t hash = hash_of(name);
  auto place = std::ranges::lower_bound(state_->names, NameHash{hash, 0});
  for (; place != state_->names.end() && place->hash == hash; ++place) {
    CAIRN_TRY(const std::string found, this->name(Split::train, place->image));
    if (found == name) return place->image;
  }
  return missing;
}

}  // namespace cairn::data
