#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cairn {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int result = fd_ < 0 ? 0 : ::close(fd_);
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

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

// Errors name `path`, in whose place the temporary file is to come.
Status write_temporary(const std::filesystem::path& temporary, const std::filesystem::path& path,
                       BytesView bytes, mode_t mode) {
  Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (fd.get() < 0) return system_error(path, "create");
  CAIRN_CHECK(write_all(fd.get(), bytes, path));
  if (::fsync(fd.get()) != 0 || fd.close() != 0) return system_error(path, "write");
  return {};
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
  std::filesystem::path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid());
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  Status status = write_temporary(temporary, path, bytes, mode);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = system_error(path, "replace");
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_directory(folder);
}

}  // namespace

Result<Bytes> read_file(const std::filesystem::path& path, uint64_t max_size) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) return system_error(path, "read");
  if (!S_ISREG(info.st_mode)) return Error{path.string() + ": is not a regular file"};
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > max_size) {
    return Error{path.string() + ": has " + std::to_string(size) + " bytes where at most " +
                 std::to_string(max_size) + " are allowed"};
  }
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

Status write_file(const std::filesystem::path& path, BytesView bytes) {
  return replace_file(path, bytes, 0644);
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

}  // namespace cairn
