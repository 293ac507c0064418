// Private keys, one file each, outside every project directory: what lies in a project is copied and
// published.
//
// A key file has three lines, of which the first says what it is:
//     cairn private key v1: whoever has this file can sign as "NAME" in project PROJECT; never publish it
//     public: 64 hexadecimal digits
//     private: 64 hexadecimal digits (the Ed25519 seed of RFC 8032)
// It lies at DIRECTORY/PROJECT/NAME.key, has mode 0600 and lies in folders of mode 0700.
//
// Safe for several threads and processes: a key is written whole or not at all, and only replace() replaces
// one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/signature.h"

namespace cairn::ledger {

inline constexpr size_t kMaxKeyNameSize = 80;  // room for a user's name and ".next"

// The key in a file, wherever it lies. Refuses one that others may read.
Result<SigningKey> read_key_file(const std::filesystem::path& file);

class KeyRing {
 public:
  // $XDG_DATA_HOME/cairn/keys, or $HOME/.local/share/cairn/keys; refused where neither variable is an
  // absolute path.
  static Result<std::filesystem::path> default_directory();

  // Makes `directory` if need be. Refuses one that lies inside `project_directory`, by whatever links, and
  // one that others may enter.
  static Result<KeyRing> open(const std::filesystem::path& directory,
                              const std::filesystem::path& project_directory);

  // `project` is a word of 1 to 80 letters, digits, '.', '_' and '-' (the hexadecimal project digest); so is
  // `name` (a role such as "root", or a user). Neither starts with '.'.
  Result<SigningKey> create(const std::string& project, const std::string& name);  // refused if there is one
  Result<SigningKey> load(const std::string& project, const std::string& name) const;
  // Puts a key that exists already, such as the root key that gave a new project its digest, under a name.
  Status add(const std::string& project, const std::string& name, const SigningKey& key);
  // Gives a key another name; refused if another key has it. Run again after a crash, it ends what it began.
  Status rename(const std::string& project, const std::string& from, const std::string& to);
  // Puts the key called `successor` in the place of the one called `name`, which is gone then.
  Status replace(const std::string& project, const std::string& name, const std::string& successor);
  Status remove(const std::string& project, const std::string& name);        // done if there is none
  Result<std::vector<std::string>> names(const std::string& project) const;  // ascending

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path path(const std::string& project, const std::string& name) const;

 private:
  explicit KeyRing(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::filesystem::path directory_;
};

}  // namespace cairn::ledger
