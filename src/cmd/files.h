// Files that a command reads and writes; "-" is standard input or output.
#pragma once

#include "cmd/command.h"

namespace cairn::cmd {

Result<Bytes> read_input(const std::filesystem::path& file, uint64_t max_size);

// Whether the file can be written as far as one can tell before long work: its folder is there, it is none.
Status check_output(const std::filesystem::path& file);
Status write_output(const std::filesystem::path& file, BytesView bytes);

// Prints what was written: on standard error where the file itself went to standard output.
void print_about(const std::filesystem::path& file, const Shared& shared, const Json& json,
                 const std::string& text);

}  // namespace cairn::cmd
