// Blobs: files addressed by the SHA-256 of their bytes, in a directory of two-digit folders.
#pragma once

#include <filesystem>

#include "base/digest.h"

namespace cairn {

// Where bytes are fetched from by digest; what comes back has that digest. Safe to call from several threads.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  virtual Result<Bytes> get(const Digest& digest, uint64_t max_size) const = 0;
};

// Safe for several threads and processes: a blob is written whole or not at all, and never changes.
class BlobStore : public BlobSource {
 public:
  explicit BlobStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

  Result<Digest> put(BytesView bytes);  // Putting what is there already succeeds.
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;
  bool has(const Digest& digest) const;
  Status remove(const Digest& digest);  // Removing what is not there succeeds.
  std::filesystem::path path(const Digest& digest) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace cairn
