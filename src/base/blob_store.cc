#include "base/blob_store.h"

#include "base/file.h"
#include "base/file_group.h"

namespace cairn {
namespace {

constexpr const char* kPrepared = "prepared";  // a folder in the store's own

}  // namespace

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
  CAIRN_TRY(PreparedBlob blob, prepare(bytes));
  CAIRN_CHECK(take(blob));
  const std::filesystem::path file = path(blob.digest());
  CAIRN_CHECK(sync_files(directory_, {&file, 1}));
  return blob.digest();
}

PreparedBlob::~PreparedBlob() {
  if (file_.empty() || otherwise_ == Otherwise::stays) return;
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

Result<PreparedBlob> BlobStore::prepare(BytesView bytes) const {
  CAIRN_CHECK(make_directory(directory_ / kPrepared));
  const Digest digest = sha256(bytes);
  CAIRN_TRY(std::filesystem::path file, write_beside(directory_ / kPrepared / "blob", bytes));
  PreparedBlob blob(digest, std::move(file), PreparedBlob::Otherwise::gone);
  CAIRN_CHECK(sync_successor(blob));
  return blob;
}

// An entry in the log may rely on what is there.
Status BlobStore::sync_successor(PreparedBlob& blob) const {
  if (blob.on_disk_ || !has(blob.digest_)) return {};
  CAIRN_CHECK(sync_files(directory_, {&blob.file_, 1}));
  blob.on_disk_ = true;
  return {};
}

Status BlobStore::take(PreparedBlob& blob) {
  CAIRN_CHECK(sync_successor(blob));
  const std::filesystem::path file = path(blob.digest_);
  CAIRN_CHECK(make_directory(file.parent_path()));
  std::error_code error;
  std::filesystem::rename(blob.file_, file, error);
  if (error) return Error{file.string() + ": cannot be made: " + error.message()};
  blob.file_.clear();
  return {};
}

void BlobStore::forget_prepared(std::chrono::hours age) const {
  const auto oldest = std::filesystem::file_time_type::clock::now() - age;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory_ / kPrepared, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (it->last_write_time(ignored) < oldest) std::filesystem::remove(it->path(), ignored);
  }
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
