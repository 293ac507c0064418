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

// Where a store gets what it lacks, such as the same store of another machine. Safe to call from several
// threads.
class BlobOrigin {
 public:
  virtual ~BlobOrigin() = default;
  // Makes `file`, in a folder that is there, whole or not at all; refuses more than `max_size` bytes. Whoever
  // reads the file checks its digest.
  virtual Status fetch(const Digest& digest, uint64_t max_size, const std::filesystem::path& file) const = 0;
};

// The bytes of `file`, which is fetched where it is not there, and once more where another process that needs
// room deletes it meanwhile. Without an origin it is only read. The digest is for the caller to check.
Result<Bytes> read_or_fetch(const BlobOrigin* origin, const Digest& digest, uint64_t max_size,
                            const std::filesystem::path& file);

// Safe for several threads and processes: a blob is written whole or not at all, and never changes.
class BlobStore : public BlobSource {
 public:
  // `origin`, if there is one, outlives the store; what get() lacks is fetched from it and kept.
  explicit BlobStore(std::filesystem::path directory, const BlobOrigin* origin = nullptr)
      : directory_(std::move(directory)), origin_(origin) {}

  Result<Digest> put(BytesView bytes);  // Putting what is there already succeeds.
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;
  bool has(const Digest& digest) const;
  Status remove(const Digest& digest);  // Removing what is not there succeeds.
  std::filesystem::path path(const Digest& digest) const;

 private:
  std::filesystem::path directory_;
  const BlobOrigin* origin_;
};

}  // namespace cairn
