// IDX files: the format of MNIST and its relatives (Y. LeCun, "The MNIST database"), plain or
// gzip-compressed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "data/source.h"

struct gzFile_s;

namespace cairn::data {

// A plain or gzip file read from start to end, however large. One thread at a time.
class StreamedFile {
 public:
  static Result<StreamedFile> open(const std::filesystem::path& path);

  // Exactly `size` bytes. Memory grows with what arrives, whatever a header claims.
  Result<Bytes> read(uint64_t size);
  Status skip(uint64_t size);
  // The end of the data, with the checksum that gzip keeps there.
  Status finish();

  Error error(const std::string& reason) const;

 private:
  struct Close {
    void operator()(gzFile_s* file) const;
  };
  StreamedFile(const std::filesystem::path& path, gzFile_s* file) : path_(path), file_(file) {}
  Error failure(const std::string& fallback) const;

  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

// Unsigned bytes of three dimensions (images) or one (labels), item after item.
class IdxFile {
 public:
  // Refuses any other kind and images that no shard could hold, naming the file.
  static Result<IdxFile> open_images(const std::filesystem::path& path);
  static Result<IdxFile> open_labels(const std::filesystem::path& path);

  uint32_t count() const { return count_; }
  uint32_t height() const { return height_; }  // 1 of labels
  uint32_t width() const { return width_; }
  uint64_t item_size() const { return uint64_t{height_} * width_; }
  const std::filesystem::path& path() const { return path_; }

  // The items [first, first + count). Going back reads the file from its start. After the last item it
  // refuses bytes left over, and damaged or truncated compression.
  Result<Bytes> read(uint32_t first, uint32_t count);

 private:
  IdxFile(std::filesystem::path path, StreamedFile file) : path_(std::move(path)), file_(std::move(file)) {}
  Status rewind();

  std::filesystem::path path_;
  StreamedFile file_;
  uint64_t header_size_ = 0;
  uint32_t count_ = 0, height_ = 1, width_ = 1;
  uint32_t next_ = 0;
};

// A folder of {train,t10k}-{images-idx3,labels-idx1}-ubyte, each plain or with .gz, of which the test pair
// may be missing. Images keep the order of the files, and are named by it. `classes` may be empty: then they
// are called "0", "1", … up to the largest training label. Reads the labels once, to check them.
Result<std::unique_ptr<Source>> open_idx_folder(const std::filesystem::path& folder, const std::string& name,
                                                std::vector<std::string> classes);
bool is_idx_folder(const std::filesystem::path& folder);

}  // namespace cairn::data
