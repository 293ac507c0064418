#include "cmd/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file.h"

namespace cairn::cmd {
namespace {

bool is_standard(const std::filesystem::path& file) {
  return file == "-";
}

}  // namespace

Result<Bytes> read_input(const std::filesystem::path& file, uint64_t max_size) {
  if (!is_standard(file)) return read_file(file, max_size);
  constexpr size_t kPiece = size_t{1} << 16;
  Bytes bytes;
  while (bytes.size() <= max_size) {
    const size_t have = bytes.size();
    bytes.resize(have + kPiece);
    const ssize_t got = ::read(STDIN_FILENO, bytes.data() + have, kPiece);
    if (got < 0) return Error{std::string("standard input: cannot be read: ") + std::strerror(errno)};
    bytes.resize(have + static_cast<size_t>(got));
    if (got == 0) return bytes;
  }
  return Error{"standard input: has more than the " + std::to_string(max_size) + " bytes that are allowed"};
}

Status check_output(const std::filesystem::path& file) {
  if (is_standard(file)) return {};
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    return Error{file.string() + ": is a folder; name a file in it"};
  if (!std::filesystem::is_directory(folder, error))
    return Error{file.string() + ": there is no folder " + folder.string() + " to write it into"};
  if (::access(folder.c_str(), W_OK) != 0)
    return Error{file.string() + ": its folder cannot be written: " + std::strerror(errno)};
  return {};
}

Status write_output(const std::filesystem::path& file, BytesView bytes) {
  if (!is_standard(file)) return write_file(file, bytes);
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
  if (!written || std::fflush(stdout) != 0)
    return Error{std::string("standard output: cannot be written: ") + std::strerror(errno)};
  return {};
}

void print_about(const std::filesystem::path& file, const Shared& shared, const Json& json,
                 const std::string& text) {
  print(shared, json, text, is_standard(file) ? stderr : stdout);
}

}  // namespace cairn::cmd
