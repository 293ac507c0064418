#include "base/file_group.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace cairn {
namespace {

// More are synced with their whole file system: two waits for each file become one for all, though that one
// also waits for what others have written there.
constexpr size_t kFewFiles = 2;

using Sync = int (*)(int fd);

Status sync_path(const std::filesystem::path& path, Sync sync) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && sync(fd) == 0;
  const Error error{path.string() + ": cannot sync: " + std::strerror(errno)};
  if (fd >= 0) ::close(fd);
  return synced ? Status() : Status(error);
}

}  // namespace

Status sync_files(const std::filesystem::path& folder, std::span<const std::filesystem::path> paths) {
  // Since Linux 5.8 syncfs() reports what could not be written.
  if (paths.size() > kFewFiles) return sync_path(folder, ::syncfs);
  for (const std::filesystem::path& path : paths) {
    CAIRN_CHECK(sync_path(path, ::fsync));
    CAIRN_CHECK(sync_directory(path.parent_path()));
  }
  return {};
}

}  // namespace cairn
