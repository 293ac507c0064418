#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/file_group.h"

namespace cairn {
namespace {

Error system_error(const std::filesystem::path& path, const char* action) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {path.string() + ": cannot " + action + ": " + std::strerror(errno) +
          (full ? "; free some space and try again" : "")};
}

Status write_all(int fd, BytesView bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(path, "write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

// A new file beside `path` under a name that nobody else uses: not another thread, not another process (which
// may have the same id, in another container), not one that died here before.
Result<std::filesystem::path> create_temporary(const std::filesystem::path& path, mode_t mode,
                                               Descriptor& file) {
  static std::atomic<uint64_t> next = 0;
  for (;;) {
    std::filesystem::path temporary = path;
    temporary += ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(next++);
    file.set(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (file.get() >= 0) return temporary;
    if (errno != EEXIST) return system_error(path, "create");
  }
}

enum class Wait : uint8_t { for_disk, no };

Status write_and_close(Descriptor& fd, BytesView bytes, const std::filesystem::path& path, Wait wait) {
  CAIRN_CHECK(write_all(fd.get(), bytes, path));
  if (wait == Wait::for_disk && ::fsync(fd.get()) != 0) return system_error(path, "write");
  return fd.close() == 0 ? Status() : Status(system_error(path, "write"));
}

Status write_through(const std::filesystem::path& path, BytesView bytes) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_error(path, "write");
  return write_all(fd.get(), bytes, path);
}

Status replace_file(const std::filesystem::path& name, BytesView bytes, mode_t mode) {
  std::error_code error;
  const auto kind = std::filesystem::status(name, error).type();
  if (kind == std::filesystem::file_type::directory) return Error{name.string() + ": is a folder"};
  const bool is_there = kind != std::filesystem::file_type::not_found && !error;
  if (is_there && kind != std::filesystem::file_type::regular) return write_through(name, bytes);
  const std::filesystem::path path = is_there ? std::filesystem::canonical(name, error) : name;
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  Descriptor file;
  CAIRN_TRY(const std::filesystem::path temporary, create_temporary(path, mode, file));
  Status status = write_and_close(file, bytes, path, Wait::for_disk);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = system_error(path, "replace");
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(folder);
}

// Opens a file of at most `max_size` bytes, and says how many it has.
Result<uint64_t> open_regular(const std::filesystem::path& path, uint64_t max_size, Descriptor& file) {
  // A named pipe would make open() wait for a writer, perhaps for ever.
  file.set(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) return system_error(path, "read");
  if (!S_ISREG(info.st_mode)) return Error{path.string() + ": is not a regular file"};
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size <= max_size) return size;
  return Error{path.string() + ": has " + std::to_string(size) + " bytes where at most " +
               std::to_string(max_size) + " are allowed"};
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, uint64_t max_size) {
  Descriptor fd;
  CAIRN_TRY(const uint64_t size, open_regular(path, max_size, fd));
  Bytes bytes(size);
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "read");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<SharedBytes> map_file(const std::filesystem::path& path, uint64_t max_size) {
  Descriptor fd;
  CAIRN_TRY(const uint64_t size, open_regular(path, max_size, fd));
  if (size == 0) return SharedBytes();
  void* const pages = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (pages == MAP_FAILED) return system_error(path, "read");
  ::madvise(pages, size, MADV_SEQUENTIAL);
  const std::shared_ptr<const void> owner(pages, [size](void* mapped) { ::munmap(mapped, size); });
  return SharedBytes(owner, {static_cast<const uint8_t*>(pages), size});
}

Status write_file(const std::filesystem::path& path, BytesView bytes) {
  return replace_file(path, bytes, 0644);
}

Result<std::filesystem::path> write_beside(const std::filesystem::path& path, BytesView bytes) {
  Descriptor file;
  CAIRN_TRY(std::filesystem::path temporary, create_temporary(path, 0644, file));
  const Status status = write_and_close(file, bytes, path, Wait::no);
  if (status) return temporary;
  ::unlink(temporary.c_str());
  return status.error();
}

Status write_private_file(const std::filesystem::path& path, BytesView bytes) {
  return replace_file(path, bytes, 0600);
}

Status sync_directory(const std::filesystem::path& directory) {
  Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return system_error(directory, "sync");
  return {};
}

Status make_directory(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Error{path.string() + ": cannot create the directory: " + error.message()};
  return {};
}

Result<DirectoryLock> DirectoryLock::take(const std::filesystem::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error{directory.string() + ": cannot be opened: " + std::strerror(errno)};
  int locked = ::flock(fd, LOCK_EX);
  while (locked != 0 && errno == EINTR) locked = ::flock(fd, LOCK_EX);
  if (locked == 0) return DirectoryLock(fd);
  const Error error{directory.string() + ": cannot be locked: " + std::strerror(errno)};
  ::close(fd);
  return error;
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace cairn
