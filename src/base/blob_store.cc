#include "base/blob_store.h"

#include "base/file.h"
#include "base/file_group.h"

namespace cairn {

Result<Bytes> read_or_fetch(const BlobOrigin* origin, const Digest& digest, uint64_t max_size,
                            const std::filesystem::path& file) {
  std::error_code error;
  for (int tries = 0; tries < 3 && origin != nullptr; ++tries) {
    if (!std::filesystem::is_regular_file(file, error)) {
      CAIRN_CHECK(make_directory(file.parent_path()));
      CAIRN_CHECK(origin->fetch(digest, max_size, file));
    }
    Result<Bytes> bytes = read_file(file, max_size);
    if (bytes || std::filesystem::exists(file, error)) return bytes;
  }
  return read_file(file, max_size);
}

std::filesystem::path BlobStore::path(const Digest& digest) const {
  const std::string hex = digest.hex();
  return directory_ / hex.substr(0, 2) / hex.substr(2);
}

Result<Digest> BlobStore::put(BytesView bytes) {
  const Digest digest = sha256(bytes);
  const std::filesystem::path file = path(digest);
  // What a power cut left there may be incomplete, and what a kill left not yet on disk
  // (base/file_group.h): the name alone proves nothing.
  if (has(digest) && get(digest, bytes.size())) {
    CAIRN_CHECK(sync_files(directory_, {&file, 1}));
    return digest;
  }
  CAIRN_CHECK(make_directory(file.parent_path()));
  CAIRN_CHECK(write_file(file, bytes));
  return digest;
}

Result<Bytes> BlobStore::get(const Digest& digest, uint64_t max_size) const {
  const std::filesystem::path file = path(digest);
  CAIRN_TRY(Bytes bytes, read_or_fetch(origin_, digest, max_size, file));
  if (sha256(bytes) != digest) {
    return Error{file.string() +
                 ": the bytes do not have the digest in the file's name; delete the file "
                 "and fetch it again"};
  }
  return bytes;
}

bool BlobStore::has(const Digest& digest) const {
  std::error_code error;
  return std::filesystem::is_regular_file(path(digest), error);
}

Status BlobStore::remove(const Digest& digest) {
  std::error_code error;
  std::filesystem::remove(path(digest), error);
  if (error) return Error{path(digest).string() + ": cannot remove: " + error.message()};
  return {};
}

}  // namespace cairn
