// For tests and benchmarks: a directory of their own, and small IDX files. Needs no test framework.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "base/bytes.h"

namespace cairn::data {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cairn-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_plain(const std::filesystem::path& path, BytesView bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.good()) throw std::runtime_error(path.string() + ": cannot be written");
}

inline Bytes idx_header(uint32_t magic, std::initializer_list<uint32_t> sizes) {
  Bytes bytes;
  const auto put = [&](uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
  };
  put(magic);
  for (const uint32_t size : sizes) put(size);
  return bytes;
}

// Image i has the pixels i, i + 1, … mod 256.
inline Bytes idx_images(uint32_t count, uint32_t height, uint32_t width) {
  Bytes bytes = idx_header(0x803, {count, height, width});
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t p = 0; p < height * width; ++p) bytes.push_back(static_cast<uint8_t>(i + p));
  }
  return bytes;
}

// Label i is i mod classes.
inline Bytes idx_labels(uint32_t count, uint32_t classes) {
  Bytes bytes = idx_header(0x801, {count});
  for (uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(i % classes));
  return bytes;
}

}  // namespace cairn::data
