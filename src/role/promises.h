// Receipts that a copy of the log does not reach yet, in a file beside it: a coordinator's word outlives the
// process that heard it. Several processes may keep theirs with one copy.
#pragma once

#include <filesystem>
#include <vector>

#include "ledger/receipt.h"

namespace cairn::role {

inline constexpr size_t kMaxPromises = 4096;  // of which the newest are kept

class Promises {
 public:
  explicit Promises(std::filesystem::path directory) : directory_(std::move(directory)) {}

  Status keep(const std::vector<ledger::Receipt>& receipts);  // on disk once it returns
  Result<std::vector<ledger::Receipt>> all() const;
  // Those of events that the copy has by now: the copy itself is the better witness.
  Status forget_below(uint64_t size);

 private:
  std::filesystem::path file() const { return directory_ / "receipts"; }
  Status write(const std::vector<ledger::Receipt>& receipts) const;

  std::filesystem::path directory_;
};

}  // namespace cairn::role
