// Shards on disk: compressed, but addressed by the digest of their uncompressed bytes, because zstd's output
// changes with its version and a digest must not.
#pragma once

#include <filesystem>

#include "base/blob_store.h"
#include "base/threads.h"

namespace cairn::data {

// Where shards are read from, also a part at a time. Safe to call from several threads.
class ShardSource : public BlobSource {
 public:
  // Chunk `number` of the samples of a shard that has `size` bytes of them: kChunkSize bytes, or what is
  // left. Nothing is read but that. So the shard's own digest does not vouch for it: the caller compares it
  // with the digest of the chunk that the index has. Precondition: there is such a chunk.
  virtual Result<Bytes> chunk(const Digest& digest, uint64_t size, uint32_t number) const;
};

// Files DIRECTORY/ab/cdef….zst in Zstandard's seekable format: frames (RFC 8878) of kChunkSize bytes each,
// and a table of their sizes. Safe for several threads and processes: a shard is written whole or not at all,
// and never changes.
class ShardStore : public ShardSource {
 public:
  // `origin`, if there is one, outlives the store; what get() lacks is fetched from it, compressed, and kept.
  explicit ShardStore(std::filesystem::path directory, const BlobOrigin* origin = nullptr)
      : directory_(std::move(directory)), origin_(origin) {}

  // Putting what is there already succeeds. The threads of `pool`, if there is one, compress side by side.
  Result<Digest> put(BytesView bytes, ThreadPool* pool = nullptr);
  // Checks the digest after decompression. Neither file nor content may be larger than `max_size` allows.
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;
  Result<Bytes> chunk(const Digest& digest, uint64_t size, uint32_t number) const override;
  bool has(const Digest& digest) const;
  std::filesystem::path path(const Digest& digest) const;

 private:
  std::filesystem::path directory_;
  const BlobOrigin* origin_;
};

// The most bytes that the file of a blob of `size` bytes may have.
uint64_t max_file_size(uint64_t size);

}  // namespace cairn::data
