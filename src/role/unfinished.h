// Where a contributor's unfinished work lies in a copy of the project: the state of the unit that is computed
// and the submission that is not acknowledged.
#pragma once

#include <filesystem>
#include <memory>

#include "base/descriptor.h"
#include "base/result.h"
#include "base/signature.h"

namespace cairn::role {

// One process at a time has it: two would compute the same unit twice. Whoever dies lets go.
class Unfinished {
 public:
  // Refuses where another process works with that key on this copy.
  static Result<std::unique_ptr<Unfinished>> open(const std::filesystem::path& copy, const PublicKey& key);

  std::filesystem::path unit() const { return folder_ / "unit"; }
  std::filesystem::path submission() const { return folder_ / "submission"; }

 private:
  explicit Unfinished(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path folder_;
  Descriptor lock_;
};

}  // namespace cairn::role
