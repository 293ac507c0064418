// IDX files: the format of MNIST and its relatives (Y. LeCun, "The MNIST database"), plain or
// gzip-compressed.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/bytes.h"

namespace cairn::data {

struct IdxImages {
  uint32_t count = 0, height = 0, width = 0;
  Bytes pixels;  // [count][height][width]
};

inline constexpr uint64_t kMaxIdxSize = uint64_t{2} << 30;  // bytes after decompression

// Unsigned bytes of three dimensions (images) or one (labels). Refuses any other kind, sizes that the data do
// not have, bytes left over, and damaged or truncated compression, naming the file.
Result<IdxImages> read_idx_images(const std::filesystem::path& path);
Result<Bytes> read_idx_labels(const std::filesystem::path& path);

}  // namespace cairn::data
