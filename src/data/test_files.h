// For tests: sample files, also compressed.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include "data/sample_files.h"

namespace cairn::data {

inline void write_gzip(const std::filesystem::path& path, BytesView bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

}  // namespace cairn::data
