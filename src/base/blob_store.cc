#include "base/blob_store.h"

#include "base/file.h"
#include "base/file_group.h"

namespace cairn {

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
  if (origin_ != nullptr && !has(digest)) {
    CAIRN_CHECK(make_directory(path(digest).parent_path()));
    CAIRN_CHECK(origin_->fetch(digest, max_size, path(digest)));
  }
  CAIRN_TRY(Bytes bytes, read_file(path(digest), max_size));
  if (sha256(bytes) != digest) {
    return Error{path(digest).string() +
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
