// Files that are made durable together: one wait for the disk instead of two for each of them.
#pragma once

#include <filesystem>
#include <span>

#include "base/bytes.h"

namespace cairn {

// Writes a temporary file beside `path` and renames it over `path`, without waiting for the disk. A kill
// leaves all of it or nothing. After a power cut before sync_files() anything may be there, so a reader has
// to know what the file should hold (a blob has its digest). Errors and links as write_file().
Status write_file_unsynced(const std::filesystem::path& path, BytesView bytes);

// Once it succeeds, the files and their names survive power loss. All lie below `folder`, on one file system.
Status sync_files(const std::filesystem::path& folder, std::span<const std::filesystem::path> paths);

}  // namespace cairn
