// Gradient files on disk, as they travel: packed, but addressed by the digest of their canonical bytes,
// because zstd's output changes with its version and a digest must not.
#pragma once

#include <filesystem>

#include "base/blob_store.h"
#include "base/shared_bytes.h"

namespace cairn::work {

// One Zstandard frame (RFC 8878) that says how many bytes are in it.
Result<Bytes> pack_gradient(BytesView canonical);

// The most bytes that a gradient file of `size` bytes may be packed in.
uint64_t max_packed_size(uint64_t size);

// Files DIRECTORY/ab/cdef…, each a frame. All gradient files of a project are of one size, which follows from
// its model and its recipe; so a frame that states another is refused before anything is unpacked, and nobody
// can hand in one that grows beyond it. Safe for several threads and processes, as BlobStore is.
class GradientStore : public BlobSource {
 public:
  // `origin`, if there is one, outlives the store; what get() lacks is fetched from it, packed, and kept.
  GradientStore(std::filesystem::path directory, uint64_t size, const BlobOrigin* origin = nullptr);

  uint64_t size() const { return size_; }  // of every canonical file

  // The canonical bytes in a frame that anybody may have made; whether they are a gradient file is for the
  // caller to check. They lie in a file without a name in the store's folder, not in memory.
  Result<SharedBytes> unpack(BytesView packed) const;

  // Canonical bytes of that digest.
  Result<Bytes> get(const Digest& digest, uint64_t max_size) const override;

  // As BlobStore does, for a frame whose content has that digest.
  Result<PreparedBlob> prepare(const Digest& digest, BytesView packed) const;
  Status take(PreparedBlob& blob) { return files_.take(blob); }
  void forget_prepared(std::chrono::hours age) const { files_.forget_prepared(age); }
  bool has(const Digest& digest) const { return files_.has(digest); }
  Status remove(const Digest& digest) { return files_.remove(digest); }
  std::filesystem::path path(const Digest& digest) const { return files_.path(digest); }

 private:
  std::filesystem::path directory_;
  uint64_t size_;
  const BlobOrigin* origin_;
  BlobStore files_;  // for names and safe writing: what its files hold has another digest
};

}  // namespace cairn::work
