#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <set>
#include <vector>

#include "data/shard_cache.h"

namespace cairn::data {
namespace {

// Indexes get this part of the cache: they are far smaller than pixels, and asked for without them.
constexpr uint64_t kIndexPart = 8;

struct Position {
  size_t shard;
  uint32_t within;
};

using Index = std::vector<IndexEntry>;

// Where a name may be found; the names themselves would take many times the memory.
struct NameHash {
  size_t hash;
  uint32_t image;
  auto operator<=>(const NameHash&) const = default;
};

uint64_t size_of_pixels(const Bytes& bytes) {
  return bytes.size();
}

uint64_t size_of_index(const Index& index) {
  uint64_t size = index.size() * sizeof(IndexEntry);
  for (const IndexEntry& entry : index) size += entry.name.size();
  return size;
}

size_t hash_of(std::string_view name) {
  return std::hash<std::string_view>()(name);
}

}  // namespace

struct DataSet::State {
  Manifest manifest;
  const BlobSource& source;
  std::array<std::vector<uint32_t>, 2> starts;  // the first image of each shard, and the count
  std::array<std::vector<uint32_t>, 2> groups;  // images of each
  ShardCache<Bytes> pixels;
  ShardCache<Index> indexes;
  std::mutex names_mutex;
  std::vector<NameHash> names;  // sorted; empty until a name is looked for

  State(Manifest m, const BlobSource& s, uint64_t cache)
      : manifest(std::move(m)),
        source(s),
        pixels(cache - cache / kIndexPart, size_of_pixels),
        indexes(cache / kIndexPart, size_of_index) {
    for (size_t split = 0; split < 2; ++split) {
      groups[split] = group_counts(manifest, kSplits[split]);
      starts[split] = {0};
      for (const Shard& shard : manifest.shards[split])
        starts[split].push_back(starts[split].back() + shard.count);
    }
  }

  Position locate(Split split, uint32_t index) const {
    const std::vector<uint32_t>& begins = starts[static_cast<size_t>(split)];
    CAIRN_ASSERT(index < begins.back());
    const auto next = std::ranges::upper_bound(begins, index);
    return {static_cast<size_t>(next - begins.begin() - 1), index - *(next - 1)};
  }

  // Shards are told apart by their place and not by digest: two that share a blob may claim different counts.
  static uint64_t key(Split split, size_t shard) {
    return uint64_t{static_cast<uint8_t>(split)} << 32 | shard;
  }

  Result<std::shared_ptr<const Index>> read_index(Split split, size_t number) {
    const Shard& shard = manifest.of(split)[number];
    return indexes.get(key(split, number), [&]() -> Result<Index> {
      CAIRN_TRY(const Bytes bytes, source.get(shard.index, kMaxShardSize));
      return decode_index(bytes, shard.count, static_cast<uint32_t>(manifest.classes.size()));
    });
  }

  Result<std::shared_ptr<const Bytes>> read_pixels(Split split, size_t number) {
    const Shard& shard = manifest.of(split)[number];
    return pixels.get(key(split, number), [&]() -> Result<Bytes> {
      const uint64_t size = shard.count * manifest.image_size();
      CAIRN_TRY(Bytes bytes, source.get(shard.pixels, size));
      if (bytes.size() == size) return bytes;
      return Error{"shard " + shard.pixels.hex() + ": has " + std::to_string(bytes.size()) +
                   " bytes where the manifest needs " + std::to_string(size)};
    });
  }

  Status read_names() {
    std::lock_guard lock(names_mutex);
    if (!names.empty()) return {};
    std::vector<NameHash> found;
    for (size_t number = 0; number < manifest.of(Split::train).size(); ++number) {
      CAIRN_TRY(const auto entries, read_index(Split::train, number));
      for (const IndexEntry& entry : *entries) {
        found.push_back({hash_of(entry.name), static_cast<uint32_t>(found.size())});
      }
    }
    std::ranges::sort(found);
    names = std::move(found);
    return {};
  }
};

Result<DataSet> DataSet::open(const Digest& manifest, const BlobSource& manifests, const BlobSource& shards,
                              uint64_t cache) {
  CAIRN_TRY(const Bytes bytes, manifests.get(manifest, kMaxManifestSize));
  CAIRN_TRY(Manifest decoded, decode_manifest(bytes));
  return DataSet(std::move(decoded), shards, cache);
}

DataSet::DataSet(Manifest manifest, const BlobSource& shards, uint64_t cache)
    : state_(std::make_unique<State>(std::move(manifest), shards, cache)) {}
DataSet::DataSet(DataSet&&) noexcept = default;
DataSet::~DataSet() = default;

const Manifest& DataSet::manifest() const {
  return state_->manifest;
}

uint32_t DataSet::count(Split split) const {
  return state_->starts[static_cast<size_t>(split)].back();
}

std::span<const uint32_t> DataSet::groups(Split split) const {
  return state_->groups[static_cast<size_t>(split)];
}

std::vector<size_t> DataSet::shards_of(Split split, std::span<const uint32_t> images) const {
  std::set<size_t> shards;
  for (const uint32_t image : images) shards.insert(state_->locate(split, image).shard);
  return {shards.begin(), shards.end()};
}

Result<uint16_t> DataSet::label(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const auto entries, state_->read_index(split, position.shard));
  return (*entries)[position.within].label;
}

Result<std::string> DataSet::name(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const auto entries, state_->read_index(split, position.shard));
  return (*entries)[position.within].name;
}

Result<Bytes> DataSet::pixels(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const auto shard, state_->read_pixels(split, position.shard));
  const auto size = static_cast<ptrdiff_t>(state_->manifest.image_size());
  const auto begin = shard->begin() + position.within * size;
  return Bytes(begin, begin + size);
}

Result<uint32_t> DataSet::find(std::string_view name) const {
  CAIRN_CHECK(state_->read_names());
  const size_t hash = hash_of(name);
  auto place = std::ranges::lower_bound(state_->names, NameHash{hash, 0});
  for (; place != state_->names.end() && place->hash == hash; ++place) {
    CAIRN_TRY(const std::string found, this->name(Split::train, place->image));
    if (found == name) return place->image;
  }
  return Error{"there is no training image named " + std::string(name)};
}

}  // namespace cairn::data
