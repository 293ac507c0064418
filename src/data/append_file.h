// A file that grows at its end, and what was written of it before.
#pragma once

#include <filesystem>

#include "base/bytes.h"
#include "base/descriptor.h"

namespace cairn::data {

// Errors name the file. One thread at a time.
class AppendFile {
 public:
  // Makes the file where there is none.
  static Result<std::unique_ptr<AppendFile>> open(const std::filesystem::path& path);

  Status append(BytesView bytes);
  Status sync();  // what was appended survives power loss
  Result<uint64_t> size() const;
  Status cut(uint64_t size);

 private:
  AppendFile(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::filesystem::path path_;
  Descriptor fd_;
};

// Bytes of a file from a place on, with the place and number of bytes judged before anything is allocated.
Result<Bytes> read_part(const std::filesystem::path& path, uint64_t place, uint64_t size);

}  // namespace cairn::data
