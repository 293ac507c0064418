#include "data/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace cairn::data {
namespace {

Error system_error(const std::filesystem::path& path, const char* action) {
  const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return {path.string() + ": cannot " + action + ": " + std::strerror(errno) +
          (full ? "; free some space and try again" : "")};
}

}  // namespace

Result<std::unique_ptr<AppendFile>> AppendFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return system_error(path, "write");
  return std::unique_ptr<AppendFile>(new AppendFile(path, fd));
}

Status AppendFile::append(BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(path_, "write");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Status AppendFile::sync() {
  if (::fsync(fd_.get()) != 0) return system_error(path_, "write");
  return {};
}

Result<uint64_t> AppendFile::size() const {
  struct stat info {};
  if (::fstat(fd_.get(), &info) != 0) return system_error(path_, "read");
  return static_cast<uint64_t>(info.st_size);
}

Status AppendFile::cut(uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return system_error(path_, "write");
  return {};
}

Result<Bytes> read_part(const std::filesystem::path& path, uint64_t place, uint64_t size) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) return system_error(path, "read");
  if (!S_ISREG(info.st_mode)) return Error{path.string() + ": is not a regular file"};
  const auto whole = static_cast<uint64_t>(info.st_size);
  if (place > whole || size > whole - place) return Error{path.string() + ": ends too early"};
  Bytes bytes(size);
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(fd.get(), bytes.data() + have, size - have, static_cast<off_t>(place + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(path, "read");
    if (got == 0) return Error{path.string() + ": ends too early"};
    have += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace cairn::data
