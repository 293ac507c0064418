// A data set as gradients see it: images by number, read from shards that are fetched when first needed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/blob_store.h"
#include "data/manifest.h"

namespace cairn::data {

inline constexpr uint64_t kDefaultCache = uint64_t{1} << 30;  // bytes

// Images of a split are numbered from 0 in the order of the manifest. Shards that were used lately stay in
// memory, at most `cache` bytes of them (but always one). Safe for several threads. A shard that cannot be
// had is an error that says which; a later call tries again.
class DataSet {
 public:
  // `shards` outlives the data set.
  static Result<DataSet> open(const Digest& manifest, const BlobSource& manifests, const BlobSource& shards,
                              uint64_t cache = kDefaultCache);
  DataSet(Manifest manifest, const BlobSource& shards, uint64_t cache = kDefaultCache);
  DataSet(DataSet&&) noexcept;
  ~DataSet();

  const Manifest& manifest() const;
  uint32_t count(Split split) const;
  std::span<const uint32_t> groups(Split split) const;  // the number of images in each group of kGroupShards shards
  // The shards of the split in which these images are, ascending. Precondition: each is below count(split).
  std::vector<size_t> shards_of(Split split, std::span<const uint32_t> images) const;

  // Precondition of these: index < count(split). They give copies, so that no caller keeps a shard in memory.
  Result<uint16_t> label(Split split, uint32_t index) const;
  Result<std::string> name(Split split, uint32_t index) const;
  Result<Bytes> pixels(Split split, uint32_t index) const;  // [channels][height][width]

  // The first training image of that name, or an error. The first call reads every index.
  Result<uint32_t> find(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::data
