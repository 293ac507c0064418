// Files that are made durable together: one wait for the disk instead of two for each of them.
#pragma once

#include <filesystem>
#include <span>

#include "base/bytes.h"

namespace cairn {

// A new file beside `path`, under a name of its own that begins like it, for the caller to rename or remove.
// After a power cut before sync_files() anything may be in it, so whoever reads it has to know what it should
// hold (a blob has its digest). Errors as write_file().
Result<std::filesystem::path> write_beside(const std::filesystem::path& path, BytesView bytes);

// Once it succeeds, the files and their names survive power loss. All lie below `folder`, on one file system.
Status sync_files(const std::filesystem::path& folder, std::span<const std::filesystem::path> paths);

}  // namespace cairn
