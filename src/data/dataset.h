// A data set as gradients see it: images by number, read from shards that are fetched when first needed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/blob_store.h"
#include "data/manifest.h"

namespace cairn::data {

// Images of a split are numbered from 0 in the order of the manifest. Shards stay in memory once loaded. Safe
// for several threads. A shard that cannot be had is an error that says which; a later call tries again.
class DataSet {
 public:
  // `shards` outlives the data set.
  static Result<DataSet> open(const Digest& manifest, const BlobSource& manifests, const BlobSource& shards);
  DataSet(Manifest manifest, const BlobSource& shards);
  DataSet(DataSet&&) noexcept;
  ~DataSet();

  const Manifest& manifest() const;
  uint32_t count(Split split) const;

  // Precondition of these: index < count(split). What they give lives as long as the data set.
  Result<uint16_t> label(Split split, uint32_t index) const;
  Result<std::string_view> name(Split split, uint32_t index) const;
  Result<std::span<const uint8_t>> pixels(Split split, uint32_t index) const;  // [channels][height][width]

  // The training image of that name, or an error.
  Result<uint32_t> find(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::data
