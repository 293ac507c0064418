#include "data/shard_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "base/file.h"
#include "data/manifest.h"

namespace cairn::data {
namespace {

// Photographs gain a hundredth of their size from level 9, and take five times as long.
constexpr int kCompressionLevel = 3;
// Zstandard's seekable format: a skippable frame at the end holds the sizes of all others.
constexpr uint32_t kSkippableMagic = 0x184D2A5E;
constexpr uint32_t kSeekableMagic = 0x8F92EAB1;
constexpr size_t kEntrySize = 4 + 4;       // compressed and uncompressed bytes of a frame
constexpr size_t kFooterSize = 4 + 1 + 4;  // number of frames, flags, magic
constexpr size_t kHeaderSize = 4 + 4;

uint64_t chunks_of(uint64_t size) {
  return (size + kChunkSize - 1) / kChunkSize;
}

Error zstd_error(const char* action, size_t code) {
  return {std::string("cannot ") + action + ": " + ZSTD_getErrorName(code)};
}

Result<Bytes> compress_frame(BytesView bytes) {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  CAIRN_ASSERT(context != nullptr);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kCompressionLevel);
  Bytes frame(ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compress2(context.get(), frame.data(), frame.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(size)) return zstd_error("compress", size);
  frame.resize(size);
  return frame;
}

Bytes join(const std::vector<Bytes>& frames, uint64_t size) {
  ByteWriter table;
  table.u32(kSkippableMagic);
  table.u32(static_cast<uint32_t>(frames.size() * kEntrySize + kFooterSize));
  Bytes file;
  for (size_t i = 0; i < frames.size(); ++i) {
    table.u32(static_cast<uint32_t>(frames[i].size()));
    table.u32(static_cast<uint32_t>(std::min(kChunkSize, size - i * kChunkSize)));
    file.insert(file.end(), frames[i].begin(), frames[i].end());
  }
  table.u32(static_cast<uint32_t>(frames.size()));
  table.u8(0);
  table.u32(kSeekableMagic);
  file.insert(file.end(), table.bytes().begin(), table.bytes().end());
  return file;
}

Result<Bytes> compress(BytesView bytes, ThreadPool* pool) {
  std::vector<Bytes> frames(chunks_of(bytes.size()));
  std::vector<Status> statuses(frames.size());
  const auto body = [&](int64_t i, int) {
    const uint64_t first = static_cast<uint64_t>(i) * kChunkSize;
    auto frame = compress_frame(bytes.subspan(first, std::min(kChunkSize, bytes.size() - first)));
    if (frame) {
      frames[static_cast<size_t>(i)] = *std::move(frame);
    } else {
      statuses[static_cast<size_t>(i)] = frame.error();
    }
  };
  if (pool != nullptr) {
    pool->run(static_cast<int64_t>(frames.size()), body);
  } else {
    for (size_t i = 0; i < frames.size(); ++i) body(static_cast<int64_t>(i), 0);
  }
  for (const Status& status : statuses) CAIRN_CHECK(status);
  return join(frames, bytes.size());
}

// A file that is read at several places.
class ShardFile {
 public:
  static Result<std::unique_ptr<ShardFile>> open(const std::filesystem::path& path, uint64_t max_size) {
    auto file = std::make_unique<ShardFile>();
    file->fd_.set(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat info {};
    if (file->fd_.get() < 0 || ::fstat(file->fd_.get(), &info) != 0) {
      return Error{std::string("cannot read: ") + std::strerror(errno)};
    }
    if (!S_ISREG(info.st_mode)) return Error{"is not a regular file"};
    file->size_ = static_cast<uint64_t>(info.st_size);
    if (file->size_ > max_file_size(max_size)) return Error{"is larger than its content may make it"};
    CAIRN_CHECK(file->read_table());
    if (file->content_ <= max_size) return file;
    return Error{"holds " + std::to_string(file->content_) + " bytes where at most " +
                 std::to_string(max_size) + " are allowed"};
  }

  uint64_t content() const { return content_; }  // uncompressed bytes
  size_t frames() const { return frames_.size(); }

  Result<Bytes> frame(size_t number) const {
    const Frame& frame = frames_[number];
    CAIRN_TRY(const Bytes compressed, read(frame.place, frame.size));
    Bytes bytes(frame.content);
    const size_t size = ZSTD_decompress(bytes.data(), bytes.size(), compressed.data(), compressed.size());
    if (ZSTD_isError(size)) return zstd_error("decompress", size);
    if (size == bytes.size()) return bytes;
    return Error{"a frame has another size than the table says"};
  }

 private:
  struct Frame {
    uint64_t place, size, content;
  };

  Result<Bytes> read(uint64_t place, uint64_t size) const {
    Bytes bytes(size);
    size_t have = 0;
    while (have < size) {
      const ssize_t got =
          ::pread(fd_.get(), bytes.data() + have, size - have, static_cast<off_t>(place + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Error{std::string("cannot read: ") + std::strerror(errno)};
      if (got == 0) return Error{"ends too early"};
      have += static_cast<size_t>(got);
    }
    return bytes;
  }

  Status read_table() {
    const Error wrong{"does not end with a table of Zstandard frames"};
    if (size_ < kHeaderSize + kFooterSize) return wrong;
    CAIRN_TRY(const Bytes footer, read(size_ - kFooterSize, kFooterSize));
    ByteReader end(footer);
    const uint64_t count = end.u32("frames");
    if (end.u8("flags") != 0 || end.u32("magic") != kSeekableMagic) return wrong;
    const uint64_t table_size = kHeaderSize + count * kEntrySize + kFooterSize;
    if (table_size > size_ || count > chunks_of(kMaxShardSize)) return wrong;
    CAIRN_TRY(const Bytes table, read(size_ - table_size, table_size));
    ByteReader reader(table);
    if (reader.u32("magic") != kSkippableMagic || reader.u32("size") != table_size - kHeaderSize)
      return wrong;
    uint64_t place = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t size = reader.u32("compressed"), content = reader.u32("uncompressed");
      const bool whole = content == kChunkSize || (i + 1 == count && content > 0 && content < kChunkSize);
      if (!whole || size > ZSTD_compressBound(kChunkSize)) return wrong;
      frames_.push_back({place, size, content});
      place += size;
      content_ += content;
    }
    return place + table_size == size_ ? Status() : Status(wrong);
  }

  Descriptor fd_;
  uint64_t size_ = 0, content_ = 0;
  std::vector<Frame> frames_;
};

Result<Bytes> read_whole(const std::filesystem::path& path, uint64_t max_size) {
  CAIRN_TRY(const auto file, ShardFile::open(path, max_size));
  Bytes bytes;
  bytes.reserve(file->content());
  for (size_t i = 0; i < file->frames(); ++i) {
    CAIRN_TRY(const Bytes frame, file->frame(i));
    bytes.insert(bytes.end(), frame.begin(), frame.end());
  }
  return bytes;
}

Result<Bytes> read_chunk(const std::filesystem::path& path, uint64_t size, uint32_t number) {
  CAIRN_TRY(const auto file, ShardFile::open(path, size));
  if (file->content() == size) return file->frame(number);
  return Error{"has " + std::to_string(file->content()) + " bytes where the manifest needs " +
               std::to_string(size)};
}

// What `read` gives of the file, which is fetched where it is not there, and once more where another process
// that needs room deletes it meanwhile.
template <typename Read>
Result<Bytes> fetched(const BlobOrigin* origin, const Digest& digest, uint64_t max_size,
                      const std::filesystem::path& path, const Read& read) {
  std::error_code error;
  for (int tries = 0; tries < 3 && origin != nullptr; ++tries) {
    if (!std::filesystem::is_regular_file(path, error)) {
      CAIRN_CHECK(make_directory(path.parent_path()));
      CAIRN_CHECK(origin->fetch(digest, max_file_size(max_size), path));
    }
    Result<Bytes> bytes = read();
    if (bytes) return bytes;
    if (std::filesystem::exists(path, error)) return bytes.error().within(path.string());
  }
  Result<Bytes> bytes = read();
  if (!bytes) return bytes.error().within(path.string());
  return bytes;
}

}  // namespace

uint64_t max_file_size(uint64_t size) {
  const uint64_t frames = chunks_of(size);
  return frames * (ZSTD_compressBound(kChunkSize) + kEntrySize) + kHeaderSize + kFooterSize;
}

Result<Bytes> ShardSource::chunk(const Digest& digest, uint64_t size, uint32_t number) const {
  CAIRN_TRY(const Bytes bytes, get(digest, size));
  if (bytes.size() != size) {
    return Error{"shard " + digest.hex() + ": has " + std::to_string(bytes.size()) +
                 " bytes where the manifest needs " + std::to_string(size)};
  }
  const auto first = static_cast<ptrdiff_t>(number * kChunkSize);
  const auto count = static_cast<ptrdiff_t>(std::min(kChunkSize, size - number * kChunkSize));
  return Bytes(bytes.begin() + first, bytes.begin() + first + count);
}

std::filesystem::path ShardStore::path(const Digest& digest) const {
  const std::string hex = digest.hex();
  return directory_ / hex.substr(0, 2) / (hex.substr(2) + ".zst");
}

Result<Digest> ShardStore::put(BytesView bytes, ThreadPool* pool) {
  CAIRN_ASSERT(bytes.size() <= kMaxShardSize);
  const Digest digest = sha256(bytes);
  if (has(digest)) return digest;
  CAIRN_TRY(const Bytes compressed, compress(bytes, pool));
  CAIRN_CHECK(make_directory(path(digest).parent_path()));
  CAIRN_CHECK(write_file(path(digest), compressed));
  return digest;
}

Result<Bytes> ShardStore::get(const Digest& digest, uint64_t max_size) const {
  const std::filesystem::path file = path(digest);
  CAIRN_TRY(Bytes bytes,
            fetched(origin_, digest, max_size, file, [&] { return read_whole(file, max_size); }));
  if (sha256(bytes) != digest) {
    return Error{
        file.string() +
        ": the content does not have the digest in the file's name; delete the file and fetch it again"};
  }
  return bytes;
}

Result<Bytes> ShardStore::chunk(const Digest& digest, uint64_t size, uint32_t number) const {
  const std::filesystem::path file = path(digest);
  return fetched(origin_, digest, size, file, [&] { return read_chunk(file, size, number); });
}

bool ShardStore::has(const Digest& digest) const {
  std::error_code error;
  return std::filesystem::is_regular_file(path(digest), error);
}

}  // namespace cairn::data
