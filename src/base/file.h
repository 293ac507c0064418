// Files: whole reads with a limit, writes that survive power loss or change nothing.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/bytes.h"

namespace cairn {

// Refuses directories, missing files and files over `max_size` bytes, naming the path.
Result<Bytes> read_file(const std::filesystem::path& path, uint64_t max_size);

// Writes a temporary file beside `path`, syncs it, renames it over `path` and syncs the folder. On an error
// (a full disk, say) the old file is as it was and the temporary one is gone. What a link leads to is written,
// not the link; a device or pipe is written to, not replaced.
Status write_file(const std::filesystem::path& path, BytesView bytes);
Status write_private_file(const std::filesystem::path& path, BytesView bytes);  // mode 0600

Status sync_directory(const std::filesystem::path& directory);  // what was made or renamed in it stays so
Status make_directory(const std::filesystem::path& path);       // with parents

}  // namespace cairn
