#include "work/gradient_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/file_group.h"

namespace cairn::work {
namespace {

namespace fs = std::filesystem;

constexpr int kCompressionLevel = 3;  // numbers of chance: higher levels gain nothing
constexpr const char* kPrepared = "prepared";
constexpr uint64_t kInMemory = uint64_t{1} << 20;  // what is no larger is not worth a file

// Bytes of a file without a name, which is gone with this object: the system takes them out of memory where
// it needs room.
class Scratch {
 public:
  static Result<std::shared_ptr<Scratch>> make(const fs::path& folder, uint64_t size) {
    const Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    // All of it now: where the disk is full, writing to a mapping ends the process.
    const int failed = file.get() < 0 ? errno : ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
    if (failed != 0)
      return Error{folder.string() + ": cannot hold " + std::to_string(size) +
                   " bytes: " + std::strerror(failed)};
    void* const map = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (map == MAP_FAILED) return Error{folder.string() + ": cannot map: " + std::strerror(errno)};
    return std::make_shared<Scratch>(static_cast<uint8_t*>(map), size);
  }
  Scratch(uint8_t* map, uint64_t size) : bytes_(map, size) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { ::munmap(bytes_.data(), bytes_.size()); }

  std::span<uint8_t> bytes() const { return bytes_; }

 private:
  std::span<uint8_t> bytes_;
};

// One frame and nothing else, that states so many bytes.
Status check_frame(BytesView packed, uint64_t size) {
  const unsigned long long stated = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (stated == ZSTD_CONTENTSIZE_ERROR || stated == ZSTD_CONTENTSIZE_UNKNOWN)
    return Error{"is no Zstandard frame that states its size"};
  if (stated != size) {
    return Error{"holds " + std::to_string(stated) + " bytes where a gradient of this project has " +
                 std::to_string(size)};
  }
  if (ZSTD_findFrameCompressedSize(packed.data(), packed.size()) != packed.size())
    return Error{"is not one whole Zstandard frame"};
  return {};
}

// A frame that was checked.
Status unpack_into(BytesView packed, std::span<uint8_t> bytes) {
  const size_t got = ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), packed.size());
  if (ZSTD_isError(got)) return Error{std::string("cannot be unpacked: ") + ZSTD_getErrorName(got)};
  if (got != bytes.size()) return Error{"holds fewer bytes than it states"};
  return {};
}

}  // namespace

Result<Bytes> pack_gradient(BytesView canonical) {
  Bytes frame(ZSTD_compressBound(canonical.size()));
  const size_t size =
      ZSTD_compress(frame.data(), frame.size(), canonical.data(), canonical.size(), kCompressionLevel);
  if (ZSTD_isError(size)) return Error{std::string("cannot pack a gradient: ") + ZSTD_getErrorName(size)};
  frame.resize(size);
  frame.shrink_to_fit();
  return frame;
}

uint64_t max_packed_size(uint64_t size) {
  return ZSTD_compressBound(size);
}

GradientStore::GradientStore(fs::path directory, uint64_t size, const BlobOrigin* origin)
    : directory_(std::move(directory)), size_(size), origin_(origin), files_(directory_) {}

Result<SharedBytes> GradientStore::unpack(BytesView packed) const {
  CAIRN_CHECK(check_frame(packed, size_));
  if (size_ <= kInMemory) {
    Bytes bytes(size_);
    CAIRN_CHECK(unpack_into(packed, bytes));
    return SharedBytes(std::move(bytes));
  }
  CAIRN_CHECK(make_directory(directory_ / kPrepared));
  CAIRN_TRY(const std::shared_ptr<Scratch> scratch, Scratch::make(directory_ / kPrepared, size_));
  CAIRN_CHECK(unpack_into(packed, scratch->bytes()));
  return SharedBytes(scratch, scratch->bytes());
}

Result<Bytes> GradientStore::get(const Digest& digest, uint64_t max_size) const {
  const fs::path file = path(digest);
  CAIRN_TRY(const Bytes packed, read_or_fetch(origin_, digest, max_packed_size(size_), file));
  Status whole = size_ <= max_size ? check_frame(packed, size_)
                                   : Status(Error{"is larger than " + std::to_string(max_size) + " bytes"});
  Bytes bytes(whole ? size_ : 0);
  if (whole) whole = unpack_into(packed, bytes);
  if (!whole) return whole.error().within(file.string());
  if (sha256(bytes) == digest) return bytes;
  return Error{
      file.string() +
      ": the content does not have the digest in the file's name; delete the file and fetch it again"};
}

Result<PreparedBlob> GradientStore::prepare(const Digest& digest, BytesView packed) const {
  CAIRN_CHECK(make_directory(directory_ / kPrepared));
  CAIRN_TRY(fs::path file, write_beside(directory_ / kPrepared / "gradient", packed));
  return PreparedBlob(digest, std::move(file), PreparedBlob::Otherwise::gone);
}

}  // namespace cairn::work
