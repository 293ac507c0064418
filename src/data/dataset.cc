#include "data/dataset.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace cairn::data {
namespace {

// Something loaded at first use, kept forever once it succeeded.
template <typename T>
class Lazy {
 public:
  template <typename Load>
  Result<const T*> get(const Load& load) {
    std::lock_guard lock(mutex_);
    if (!value_) {
      CAIRN_TRY(T loaded, load());
      value_ = std::make_unique<T>(std::move(loaded));
    }
    return static_cast<const T*>(value_.get());
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<T> value_;
};

struct LoadedShard {
  Lazy<Bytes> pixels;
  Lazy<std::vector<IndexEntry>> index;
};

struct Position {
  size_t shard;
  uint32_t within;
};

using Names = std::unordered_map<std::string_view, uint32_t>;

}  // namespace

struct DataSet::State {
  Manifest manifest;
  const BlobSource& source;
  std::array<std::vector<uint32_t>, 2> starts;  // the first image of each shard, and the count
  std::array<std::vector<LoadedShard>, 2> loaded;
  Lazy<Names> names;

  State(Manifest m, const BlobSource& s) : manifest(std::move(m)), source(s) {
    for (size_t split = 0; split < 2; ++split) {
      starts[split] = {0};
      for (const Shard& shard : manifest.shards[split])
        starts[split].push_back(starts[split].back() + shard.count);
      loaded[split] = std::vector<LoadedShard>(manifest.shards[split].size());
    }
  }

  Position locate(Split split, uint32_t index) const {
    const std::vector<uint32_t>& begins = starts[static_cast<size_t>(split)];
    CAIRN_ASSERT(index < begins.back());
    const auto next = std::ranges::upper_bound(begins, index);
    return {static_cast<size_t>(next - begins.begin() - 1), index - *(next - 1)};
  }

  Result<const std::vector<IndexEntry>*> index(Split split, size_t number) {
    const Shard& shard = manifest.of(split)[number];
    return loaded[static_cast<size_t>(split)][number].index.get([&]() -> Result<std::vector<IndexEntry>> {
      CAIRN_TRY(const Bytes bytes, source.get(shard.index, kMaxShardSize));
      return decode_index(bytes, shard.count, static_cast<uint32_t>(manifest.classes.size()));
    });
  }

  Result<const Bytes*> pixels(Split split, size_t number) {
    const Shard& shard = manifest.of(split)[number];
    return loaded[static_cast<size_t>(split)][number].pixels.get([&]() -> Result<Bytes> {
      const uint64_t size = shard.count * manifest.image_size();
      CAIRN_TRY(Bytes bytes, source.get(shard.pixels, size));
      if (bytes.size() == size) return bytes;
      return Error{"shard " + shard.pixels.hex() + ": has " + std::to_string(bytes.size()) +
                   " bytes where the manifest needs " + std::to_string(size)};
    });
  }

  // The first image of each name.
  Result<Names> read_names() {
    Names result;
    for (size_t number = 0; number < manifest.of(Split::train).size(); ++number) {
      CAIRN_TRY(const std::vector<IndexEntry>* entries, index(Split::train, number));
      uint32_t image = starts[0][number];
      for (const IndexEntry& entry : *entries) result.emplace(entry.name, image++);
    }
    return result;
  }
};

Result<DataSet> DataSet::open(const Digest& manifest, const BlobSource& manifests, const BlobSource& shards) {
  CAIRN_TRY(const Bytes bytes, manifests.get(manifest, kMaxManifestSize));
  CAIRN_TRY(Manifest decoded, decode_manifest(bytes));
  return DataSet(std::move(decoded), shards);
}

DataSet::DataSet(Manifest manifest, const BlobSource& shards)
    : state_(std::make_unique<State>(std::move(manifest), shards)) {}
DataSet::DataSet(DataSet&&) noexcept = default;
DataSet::~DataSet() = default;

const Manifest& DataSet::manifest() const {
  return state_->manifest;
}

uint32_t DataSet::count(Split split) const {
  return state_->starts[static_cast<size_t>(split)].back();
}

Result<uint16_t> DataSet::label(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const std::vector<IndexEntry>* entries, state_->index(split, position.shard));
  return (*entries)[position.within].label;
}

Result<std::string_view> DataSet::name(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const std::vector<IndexEntry>* entries, state_->index(split, position.shard));
  return std::string_view((*entries)[position.within].name);
}

Result<std::span<const uint8_t>> DataSet::pixels(Split split, uint32_t index) const {
  const Position position = state_->locate(split, index);
  CAIRN_TRY(const Bytes* bytes, state_->pixels(split, position.shard));
  const size_t size = state_->manifest.image_size();
  return std::span<const uint8_t>(*bytes).subspan(position.within * size, size);
}

Result<uint32_t> DataSet::find(std::string_view name) const {
  CAIRN_TRY(const Names* names, state_->names.get([this] { return state_->read_names(); }));
  const auto found = names->find(name);
  if (found == names->end()) return Error{"there is no training image named " + std::string(name)};
  return found->second;
}

}  // namespace cairn::data
