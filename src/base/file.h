// Files: whole reads with a limit, writes that survive power loss or change nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "base/shared_bytes.h"

namespace cairn {

// Refuses directories, missing files and files over `max_size` bytes, naming the path.
Result<Bytes> read_file(const std::filesystem::path& path, uint64_t max_size);

// The same without holding it in memory: the system reads the pages that are looked at, and forgets them
// where it needs room. For files that only grow or are removed: whoever cuts one, or a disk that fails, ends
// the process.
Result<SharedBytes> map_file(const std::filesystem::path& path, uint64_t max_size);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder. On an error
// (a full disk, say) the old file is as it was and the temporary one is gone. What a link leads to is
// written, not the link; a device or pipe is written to, not replaced.
Status write_file(const std::filesystem::path& path, BytesView bytes);
Status write_private_file(const std::filesystem::path& path, BytesView bytes);  // mode 0600

Status sync_directory(const std::filesystem::path& directory);  // what was made or renamed in it stays so
Status make_directory(const std::filesystem::path& path);       // with parents

// Held by one at a time among all threads and processes, on this computer (flock on the directory itself, so
// that nothing is left behind); whoever dies lets go.
class DirectoryLock {
 public:
  // Waits until it is free.
  static Result<DirectoryLock> take(const std::filesystem::path& directory);
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace cairn
