// Runs the program as a person would, in a folder of its own with keys of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
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
  // The same for somebody whom permissions of files bind, which they do not bind the superuser.
  Outcome cairn_with_plain_rights(const std::vector<std::string>& arguments) const;
  // The same beside others: each at a time has a name of its own. start() returns the process.
  pid_t start(const std::string& name, const std::vector<std::string>& arguments) const;
  Outcome finish(const std::string& name, pid_t process) const;
  Outcome forge(const std::vector<std::string>& arguments) const;
  // Fails the test, showing what was printed, unless the exit code is 0. Returns standard output.
  std::string must(const std::vector<std::string>& arguments) const;

  void write(const std::string& name, const std::string& text) const;

 private:
  // `restrict` is called in the child before the program starts.
  Outcome run(const std::string& program, const std::vector<std::string>& arguments,
              const std::function<void()>& restrict = {}) const;
  pid_t spawn(const std::string& name, const std::string& program, const std::vector<std::string>& arguments,
              const std::function<void()>& restrict) const;

  std::filesystem::path folder_;
};

// The digest of everything below a folder: names and bytes.
Digest tree_digest(const std::filesystem::path& folder);

// A small IDX data set (28x28, `train` and `test` images of 10 classes that can be told apart) below
// `folder`.
void write_idx_data(const std::filesystem::path& folder, uint32_t train, uint32_t test);

}  // namespace cairn::tests
