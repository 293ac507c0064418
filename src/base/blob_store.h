// Blobs: files addressed by the SHA-256 of their bytes, in a directory of two-digit folders.
#pragma once

#include <chrono>
#include <filesystem>
#include <utility>

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

// A blob that lies beside its store, whole but perhaps not yet on disk: what takes long is done before
// anybody else has to wait. Unless the store takes it, it is gone with this object, or stays where it was.
class [[nodiscard]] PreparedBlob {
 public:
  enum class Otherwise : uint8_t { gone, stays };

  // A file on the store's file system, with the bytes of that digest.
  PreparedBlob(const Digest& digest, std::filesystem::path file, Otherwise otherwise)
      : digest_(digest), file_(std::move(file)), otherwise_(otherwise) {}
  PreparedBlob(PreparedBlob&& other) noexcept
      : digest_(other.digest_),
        file_(std::exchange(other.file_, {})),
        otherwise_(other.otherwise_),
        on_disk_(other.on_disk_) {}
  PreparedBlob& operator=(PreparedBlob&&) = delete;
  ~PreparedBlob();

  const Digest& digest() const { return digest_; }

 private:
  friend class BlobStore;
  Digest digest_;
  std::filesystem::path file_;  // empty once taken
  Otherwise otherwise_;
  bool on_disk_ = false;
};

// Safe for several threads and processes: a blob is written whole or not at all, and never changes.
class BlobStore : public BlobSource {
 public:
  // `origin`, if there is one, outlives the store; what get() lacks is fetched from it and kept.
  explicit BlobStore(std::filesystem::path directory, const BlobOrigin* origin = nullptr)
      : directory_(std::move(directory)), origin_(origin) {}

  Result<Digest> put(BytesView bytes);  // Once it succeeds, the blob survives power loss.
  // The same in two steps, the second of which costs as little for a large blob as for a small one and seldom
  // waits for the disk: sync_files() of base/file_group.h does so for path(). What is there is replaced,
  // since a power cut may have left something else under that name, but not before its successor is on disk.
  Result<PreparedBlob> prepare(BytesView bytes) const;
  Status take(PreparedBlob& blob);
  // Removes what processes left that died with it, where it is older than `age`.
  void forget_prepared(std::chrono::hours age) const;

  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;
  bool has(const Digest& digest) const;
  Status remove(const Digest& digest);  // Removing what is not there succeeds.
  std::filesystem::path path(const Digest& digest) const;

 private:
  Status sync_successor(PreparedBlob& blob) const;

  std::filesystem::path directory_;
  const BlobOrigin* origin_;
};

}  // namespace cairn
