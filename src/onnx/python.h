// For tests: runs a Python script of the project with Debian's Python, where PyTorch is installed.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "onnx/testing.h"

namespace cairn::onnx::testing {

inline constexpr const char* kNoTorch =
    "NOT CHECKED against PyTorch: /usr/bin/python3 has no torch, onnx and numpy (install python3-torch, "
    "python3-onnx)";

inline bool has_torch() {
  static const bool found =
      std::system("/usr/bin/python3 -c 'import torch, onnx, numpy' >/dev/null 2>&1") == 0;
  return found;
}

inline constexpr const char* kNoTorchvision =
    "NOT CHECKED against torchvision: /usr/bin/python3 has no torchvision (install python3-torchvision)";

inline bool has_torchvision() {
  static const bool found =
      has_torch() && std::system("/usr/bin/python3 -c 'import torchvision' >/dev/null 2>&1") == 0;
  return found;
}

struct ScriptResult {
  int exit_code;
  std::string output;
};

// `script` is a path inside of the project. Arguments are made by tests: without quotes in them.
inline ScriptResult run_script(const std::string& script, const std::vector<std::string>& arguments) {
  std::string command =
      "OMP_NUM_THREADS=1 /usr/bin/python3 -B '" + std::string(CAIRN_SOURCE_DIR) + "/" + script + "'";
  for (const std::string& argument : arguments) command.append(" '").append(argument).append("'");
  command += " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  char buffer[4096];
  for (size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, count);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

// A folder that goes with the object.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("cairn-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace cairn::onnx::testing
