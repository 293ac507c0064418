#include "data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "data/manifest.h"

namespace cairn::data {
namespace {

// A plain or gzip file read from start to end. zlib passes plain files through.
class InputFile {
 public:
  static Result<InputFile> open(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      return Error{path.string() + ": there is no such file"};
    }
    InputFile input(path, gzopen(path.c_str(), "rb"));
    if (!input.file_) return Error{path.string() + ": cannot read"};
    return input;
  }

  // Exactly `size` bytes. Memory grows with what arrives, whatever a header claims.
  Result<Bytes> read(uint64_t size) {
    constexpr uint64_t kPiece = 1 << 20;
    Bytes bytes;
    while (bytes.size() < size) {
      const size_t have = bytes.size();
      const auto wanted = static_cast<unsigned>(std::min(kPiece, size - have));
      bytes.resize(have + wanted);
      const int got = gzread(file_.get(), bytes.data() + have, wanted);
      if (got < static_cast<int>(wanted)) return failure("ends too early");
    }
    return bytes;
  }

  // The end of the data, with the checksum that gzip keeps there.
  Status finish() {
    uint8_t extra;
    const int got = gzread(file_.get(), &extra, 1);
    if (got > 0) return error("has more bytes than its header says");
    int code = Z_OK;
    gzerror(file_.get(), &code);  // zlib reports a missing checksum here only
    if (code != Z_OK) return failure("");
    return {};
  }

  Error error(const std::string& reason) const { return {path_ + ": " + reason}; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  InputFile(const std::filesystem::path& path, gzFile file) : path_(path.string()), file_(file) {}

  Error failure(const std::string& fallback) const {
    int code = Z_OK;
    const char* message = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) return error("is a truncated gzip file");
    if (code == Z_OK || code == Z_STREAM_END) return error(fallback);
    return error(std::string("is a damaged gzip file (") + message + ")");
  }

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

uint32_t big_endian(BytesView bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

// The sizes of the dimensions, of which there must be `rank`.
Result<std::vector<uint32_t>> read_header(InputFile& file, uint32_t rank) {
  constexpr uint32_t kUnsignedBytes = 0x0800;
  CAIRN_TRY(const Bytes magic, file.read(4));
  if (big_endian(magic) != (kUnsignedBytes | rank)) {
    return file.error("is no IDX file of unsigned bytes with " + std::to_string(rank) + " dimension" +
                      (rank == 1 ? "" : "s"));
  }
  CAIRN_TRY(const Bytes sizes, file.read(uint64_t{4} * rank));
  std::vector<uint32_t> dimensions;
  for (size_t i = 0; i < rank; ++i) dimensions.push_back(big_endian(BytesView(sizes).subspan(4 * i, 4)));
  if (dimensions[0] == 0) return file.error("count: the file has no items");
  return dimensions;
}

}  // namespace

Result<IdxImages> read_idx_images(const std::filesystem::path& path) {
  CAIRN_TRY(InputFile file, InputFile::open(path));
  CAIRN_TRY(const std::vector<uint32_t> sizes, read_header(file, 3));
  IdxImages images{sizes[0], sizes[1], sizes[2], {}};
  for (const uint32_t side : {images.height, images.width}) {
    if (side == 0 || side > kMaxSide) {
      return file.error("image size: " + std::to_string(side) + " is not between 1 and " +
                        std::to_string(kMaxSide));
    }
  }
  const uint64_t image_size = uint64_t{images.height} * images.width;
  if (image_size > kMaxShardSize) return file.error("image size: an image is larger than 64 MiB");
  if (images.count > kMaxIdxSize / image_size) return file.error("count: the images are larger than 2 GiB");
  CAIRN_TRY(images.pixels, file.read(images.count * image_size));
  CAIRN_CHECK(file.finish());
  return images;
}

Result<Bytes> read_idx_labels(const std::filesystem::path& path) {
  CAIRN_TRY(InputFile file, InputFile::open(path));
  CAIRN_TRY(const std::vector<uint32_t> sizes, read_header(file, 1));
  if (sizes[0] > kMaxImages) return file.error("count: more labels than a data set may have");
  CAIRN_TRY(Bytes labels, file.read(sizes[0]));
  CAIRN_CHECK(file.finish());
  return labels;
}

}  // namespace cairn::data
