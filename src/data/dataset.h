// A data set as gradients see it: samples by number, read from shards that are fetched when first needed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/manifest.h"
#include "data/shard_store.h"

namespace cairn::data {

inline constexpr uint64_t kDefaultCache = uint64_t{1} << 30;  // bytes

// A blob that samples are read from, and how many bytes it has at most, unpacked.
struct Part {
  Digest digest;
  uint64_t size = 0;
};

// Samples of a split are numbered from 0 in the order of the manifest. What was used lately of pages, indexes
// and samples stays in memory, the samples in chunks and all of it at most `cache` bytes (but always one of
// each). Safe for several threads. What cannot be had is an error that says which; a later call tries again.
class DataSet {
 public:
  // `shards`, which also has the manifest's pages, outlives the data set.
  static Result<DataSet> open(const Digest& manifest, const BlobSource& manifests, const ShardSource& shards,
                              uint64_t cache = kDefaultCache);
  DataSet(Manifest manifest, const ShardSource& shards, uint64_t cache = kDefaultCache);
  DataSet(DataSet&&) noexcept;
  ~DataSet();

  const Manifest& manifest() const;
  uint32_t count(Split split) const;
  // How many samples each group has, in the order of the manifest; it adds up to count(). Fetches nothing.
  const std::vector<uint32_t>& groups(Split split) const;

  // Precondition of all that follow: a sample's number is below count(split).

  // The pages of the groups in which these samples are, ascending. Fetches nothing.
  std::vector<Part> pages_of(Split split, std::span<const uint32_t> samples) const;
  // All that reading these samples needs: first those pages, then samples and index of each shard.
  Result<std::vector<Part>> parts_of(Split split, std::span<const uint32_t> samples) const;
  // All shards of a group. Precondition: it is one of groups(split).
  Result<std::vector<Shard>> shards(Split split, size_t group) const;

  // They give copies, so that no caller keeps a shard in memory.
  Result<uint16_t> label(Split split, uint32_t index) const;  // of an image; of text, 0
  Result<std::string> name(Split split, uint32_t index) const;
  Result<Bytes> sample(Split split, uint32_t index) const;  // manifest().sample_size() bytes

  // The first training sample of that name, or an error. The first call reads every index.
  Result<uint32_t> find(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cairn::data
