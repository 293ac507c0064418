#include "data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace cairn::data {
namespace {

constexpr uint32_t kPiece = 1 << 20;  // items or bytes that are read at once

uint32_t big_endian(BytesView bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

// The sizes of the dimensions, of which there must be `rank`.
Result<std::vector<uint32_t>> read_header(StreamedFile& file, uint32_t rank) {
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
  if (dimensions[0] > kMaxImages) return file.error("count: more items than a data set may have");
  return dimensions;
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// The plain file, else the compressed one.
std::filesystem::path find_file(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path plain = folder / name;
  const std::filesystem::path compressed = folder / (name + ".gz");
  return !is_there(plain) && is_there(compressed) ? compressed : plain;
}

std::filesystem::path split_file(const std::filesystem::path& folder, Split split, const char* suffix) {
  return find_file(folder, std::string(split == Split::train ? "train" : "t10k") + suffix);
}

struct Pair {
  IdxFile images, labels;
};

// Nothing where the folder has no test pair.
Result<std::optional<Pair>> open_pair(const std::filesystem::path& folder, Split split) {
  const auto image_file = split_file(folder, split, "-images-idx3-ubyte");
  const auto label_file = split_file(folder, split, "-labels-idx1-ubyte");
  if (split == Split::test && !is_there(image_file) && !is_there(label_file)) return {std::nullopt};
  CAIRN_TRY(IdxFile images, IdxFile::open_images(image_file));
  CAIRN_TRY(IdxFile labels, IdxFile::open_labels(label_file));
  if (labels.count() != images.count()) {
    return Error{label_file.string() + ": has " + std::to_string(labels.count()) + " labels, but " +
                 image_file.filename().string() + " has " + std::to_string(images.count()) + " images"};
  }
  return {Pair{std::move(images), std::move(labels)}};
}

// Calls visit(number, label) for each label.
template <typename Visit>
Status for_labels(IdxFile& labels, const Visit& visit) {
  for (uint32_t first = 0; first < labels.count(); first += kPiece) {
    CAIRN_TRY(const Bytes piece, labels.read(first, std::min(kPiece, labels.count() - first)));
    for (size_t i = 0; i < piece.size(); ++i) CAIRN_CHECK(visit(first + i, piece[i]));
  }
  return {};
}

Result<std::vector<std::string>> numbered_classes(IdxFile& labels) {
  uint8_t largest = 0;
  CAIRN_CHECK(for_labels(labels, [&](uint64_t, uint8_t label) {
    largest = std::max(largest, label);
    return Status();
  }));
  std::vector<std::string> names;
  for (size_t i = 0; i <= largest; ++i) names.push_back(std::to_string(i));
  return names;
}

Status check_labels(IdxFile& labels, size_t classes) {
  return for_labels(labels, [&](uint64_t number, uint8_t label) -> Status {
    if (label < classes) return {};
    return Error{labels.path().string() + ": label " + std::to_string(number + 1) + " is " +
                 std::to_string(label) + ", but there are " + std::to_string(classes) + " classes"};
  });
}

class IdxSource : public Source {
 public:
  static Result<std::unique_ptr<Source>> open(const std::filesystem::path& folder, const std::string& name,
                                              std::vector<std::string> classes) {
    auto source = std::make_unique<IdxSource>();
    Manifest& manifest = source->manifest_;
    manifest.name = name;
    manifest.classes = std::move(classes);
    manifest.channels = 1;
    for (const Split split : kSplits) {
      CAIRN_TRY(std::optional<Pair> pair, open_pair(folder, split));
      if (!pair) continue;
      if (manifest.classes.empty()) {
        CAIRN_TRY(manifest.classes, numbered_classes(pair->labels));
      }
      CAIRN_CHECK(check_labels(pair->labels, manifest.classes.size()));
      if (split == Split::train) {
        manifest.height = pair->images.height();
        manifest.width = pair->images.width();
      }
      if (pair->images.height() != manifest.height || pair->images.width() != manifest.width) {
        return Error{folder.string() + ": the test images have another size than the training images"};
      }
      source->pairs_[static_cast<size_t>(split)] = std::move(pair);
    }
    return {std::move(source)};
  }

  const Manifest& description() const override { return manifest_; }
  uint64_t count(Split split) const override {
    const auto& pair = pairs_[static_cast<size_t>(split)];
    return pair ? pair->images.count() : 0;
  }
  Result<Samples> read(Split split, uint64_t first, uint32_t count, ThreadPool&) override {
    Pair& pair = *pairs_[static_cast<size_t>(split)];
    Samples samples;
    samples.count = count;
    CAIRN_TRY(samples.bytes, pair.images.read(static_cast<uint32_t>(first), count));
    CAIRN_TRY(const Bytes labels, pair.labels.read(static_cast<uint32_t>(first), count));
    for (uint32_t i = 0; i < count; ++i) {
      samples.entries.push_back({labels[i], numbered_name(split, first + i, pair.images.count())});
    }
    return samples;
  }

 private:
  Manifest manifest_;
  std::array<std::optional<Pair>, 2> pairs_;
};

}  // namespace

// zlib passes plain files through.
Result<StreamedFile> StreamedFile::open(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return Error{path.string() + ": there is no such file"};
  }
  StreamedFile input(path, gzopen(path.c_str(), "rb"));
  if (!input.file_) return Error{path.string() + ": cannot read"};
  return input;
}

void StreamedFile::Close::operator()(gzFile_s* file) const {
  gzclose(file);
}

Result<Bytes> StreamedFile::read(uint64_t size) {
  Bytes bytes;
  while (bytes.size() < size) {
    const size_t have = bytes.size();
    const auto wanted = static_cast<unsigned>(std::min<uint64_t>(kPiece, size - have));
    bytes.resize(have + wanted);
    const int got = gzread(file_.get(), bytes.data() + have, wanted);
    if (got < static_cast<int>(wanted)) return failure("ends too early");
  }
  return bytes;
}

Status StreamedFile::skip(uint64_t size) {
  while (size > 0) {
    const uint64_t piece = std::min<uint64_t>(kPiece, size);
    CAIRN_CHECK(read(piece));
    size -= piece;
  }
  return {};
}

Status StreamedFile::finish() {
  uint8_t extra;
  const int got = gzread(file_.get(), &extra, 1);
  if (got > 0) return error("has more bytes than its header says");
  int code = Z_OK;
  gzerror(file_.get(), &code);  // zlib reports a missing checksum here only
  if (code != Z_OK) return failure("");
  return {};
}

Error StreamedFile::error(const std::string& reason) const {
  return {path_.string() + ": " + reason};
}

Error StreamedFile::failure(const std::string& fallback) const {
  int code = Z_OK;
  const char* message = gzerror(file_.get(), &code);
  if (code == Z_BUF_ERROR) return error("is a truncated gzip file");
  if (code == Z_OK || code == Z_STREAM_END) return error(fallback);
  return error(std::string("is a damaged gzip file (") + message + ")");
}

Result<IdxFile> IdxFile::open_images(const std::filesystem::path& path) {
  CAIRN_TRY(StreamedFile file, StreamedFile::open(path));
  CAIRN_TRY(const std::vector<uint32_t> sizes, read_header(file, 3));
  for (const uint32_t side : {sizes[1], sizes[2]}) {
    if (side == 0 || side > kMaxSide) {
      return file.error("image size: " + std::to_string(side) + " is not between 1 and " +
                        std::to_string(kMaxSide));
    }
  }
  IdxFile images(path, std::move(file));
  images.header_size_ = 16;
  images.count_ = sizes[0];
  images.height_ = sizes[1];
  images.width_ = sizes[2];
  if (images.item_size() <= kMaxShardSize) return images;
  return Error{path.string() + ": image size: an image is larger than 64 MiB"};
}

Result<IdxFile> IdxFile::open_labels(const std::filesystem::path& path) {
  CAIRN_TRY(StreamedFile file, StreamedFile::open(path));
  CAIRN_TRY(const std::vector<uint32_t> sizes, read_header(file, 1));
  IdxFile labels(path, std::move(file));
  labels.header_size_ = 8;
  labels.count_ = sizes[0];
  return labels;
}

Status IdxFile::rewind() {
  CAIRN_TRY(file_, StreamedFile::open(path_));
  next_ = 0;
  return file_.skip(header_size_);
}

Result<Bytes> IdxFile::read(uint32_t first, uint32_t count) {
  CAIRN_ASSERT(first <= count_ && count <= count_ - first);
  if (first < next_) CAIRN_CHECK(rewind());
  CAIRN_CHECK(file_.skip((first - next_) * item_size()));
  CAIRN_TRY(Bytes items, file_.read(count * item_size()));
  next_ = first + count;
  if (next_ == count_) CAIRN_CHECK(file_.finish());
  return items;
}

Result<std::unique_ptr<Source>> open_idx_folder(const std::filesystem::path& folder, const std::string& name,
                                                std::vector<std::string> classes) {
  return IdxSource::open(folder, name, std::move(classes));
}

bool is_idx_folder(const std::filesystem::path& folder) {
  return is_there(split_file(folder, Split::train, "-images-idx3-ubyte")) ||
         is_there(split_file(folder, Split::train, "-labels-idx1-ubyte"));
}

}  // namespace cairn::data
