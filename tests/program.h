// Runs the program as a person would, in a folder of its own with keys of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/digest.h"

namespace cairn::tests {

struct Outcome {
  int code = 0;  // exit code; 128 + signal if a signal ended it
  std::string out;
  std::string err;
};

// A temporary folder that holds a project and the keys of its people, gone with the object.
class Workshop {
 public:
  Workshop();
  ~Workshop();
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }

  Outcome cairn(const std::vector<std::string>& arguments) const;
  // The same on a disk on which no file grows beyond `bytes`.
  Outcome cairn_with_file_limit(uint64_t bytes, const std::vector<std::string>& arguments) const;
  Outcome forge(const std::vector<std::string>& arguments) const;
  // Fails the test, showing what was printed, unless the exit code is 0. Returns standard output.
  std::string must(const std::vector<std::string>& arguments) const;

  void write(const std::string& name, const std::string& text) const;

 private:
  Outcome run(const std::string& program, const std::vector<std::string>& arguments,
              uint64_t file_limit = UINT64_MAX) const;

  std::filesystem::path folder_;
};

// The digest of everything below a folder: names and bytes.
Digest tree_digest(const std::filesystem::path& folder);

// A small IDX data set (28x28, `train` and `test` images of 10 classes that can be told apart) below
// `folder`.
void write_idx_data(const std::filesystem::path& folder, uint32_t train, uint32_t test);

}  // namespace cairn::tests
