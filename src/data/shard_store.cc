#include "data/shard_store.h"

#include <zstd.h>

#include "base/file.h"

namespace cairn::data {
namespace {

constexpr int kCompressionLevel = 9;

Result<Bytes> compress(BytesView bytes) {
  Bytes compressed(ZSTD_compressBound(bytes.size()));
  const size_t size =
      ZSTD_compress(compressed.data(), compressed.size(), bytes.data(), bytes.size(), kCompressionLevel);
  if (ZSTD_isError(size)) return Error{std::string("cannot compress: ") + ZSTD_getErrorName(size)};
  compressed.resize(size);
  return compressed;
}

Result<Bytes> decompress(BytesView compressed, uint64_t max_size) {
  const unsigned long long stated = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (stated == ZSTD_CONTENTSIZE_ERROR || stated == ZSTD_CONTENTSIZE_UNKNOWN) {
    return Error{"is no Zstandard frame that states its size"};
  }
  if (stated > max_size) {
    return Error{"holds " + std::to_string(stated) + " bytes where at most " + std::to_string(max_size) +
                 " are allowed"};
  }
  Bytes bytes(stated);
  const size_t size = ZSTD_decompress(bytes.data(), bytes.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(size)) return Error{std::string("cannot decompress: ") + ZSTD_getErrorName(size)};
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::filesystem::path ShardStore::path(const Digest& digest) const {
  const std::string hex = digest.hex();
  return directory_ / hex.substr(0, 2) / (hex.substr(2) + ".zst");
}

Result<Digest> ShardStore::put(BytesView bytes) {
  const Digest digest = sha256(bytes);
  if (has(digest)) return digest;
  CAIRN_TRY(const Bytes compressed, compress(bytes));
  CAIRN_CHECK(make_directory(path(digest).parent_path()));
  CAIRN_CHECK(write_file(path(digest), compressed));
  return digest;
}

Result<Bytes> ShardStore::get(const Digest& digest, uint64_t max_size) const {
  const std::filesystem::path file = path(digest);
  const uint64_t max_file_size = ZSTD_compressBound(max_size);
  CAIRN_TRY(const Bytes compressed, read_or_fetch(origin_, digest, max_file_size, file));
  Result<Bytes> bytes = decompress(compressed, max_size);
  if (!bytes) return bytes.error().within(file.string());
  if (sha256(*bytes) != digest) {
    return Error{
        file.string() +
        ": the content does not have the digest in the file's name; delete the file and fetch it again"};
  }
  return bytes;
}

bool ShardStore::has(const Digest& digest) const {
  std::error_code error;
  return std::filesystem::is_regular_file(path(digest), error);
}

}  // namespace cairn::data
