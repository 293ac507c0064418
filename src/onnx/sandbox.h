// Import of an ONNX file that nobody vouches for.
#pragma once

#include <filesystem>

#include "onnx/import.h"

namespace cairn::onnx {

// import_onnx() in a child process: it is forked before a byte of the file is read, has limits on memory,
// time, files and processes, no descriptor but the file and a pipe, and may gain no privileges. What it sends
// back is read like a file from a stranger. A crash, a limit reached or ten minutes without an answer become
// one error. The calling process may have other threads.
Result<ImportedModel> import_onnx_file(const std::filesystem::path& path);

// The child's answer as bytes, for the pipe. Exposed for tests.
Bytes encode_answer(const Result<ImportedModel>& answer);
Result<ImportedModel> decode_answer(BytesView bytes);

}  // namespace cairn::onnx
