// Shards on disk: compressed, but addressed by the digest of their uncompressed bytes, because zstd's output
// changes with its version and a digest must not.
#pragma once

#include <filesystem>

#include "base/blob_store.h"

namespace cairn::data {

// Zstandard (RFC 8878) frames that state their content size, in files DIRECTORY/ab/cdef….zst. Safe for
// several threads and processes: a shard is written whole or not at all, and never changes.
class ShardStore : public BlobSource {
 public:
  // `origin`, if there is one, outlives the store; what get() lacks is fetched from it, compressed, and kept.
  explicit ShardStore(std::filesystem::path directory, const BlobOrigin* origin = nullptr)
      : directory_(std::move(directory)), origin_(origin) {}

  Result<Digest> put(BytesView bytes);  // Putting what is there already succeeds.
  // Checks the digest after decompression. Neither file nor content may be larger than `max_size` allows.
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;
  bool has(const Digest& digest) const;
  std::filesystem::path path(const Digest& digest) const;

 private:
  std::filesystem::path directory_;
  const BlobOrigin* origin_;
};

}  // namespace cairn::data
