// A ledger in memory, for simulation and tests: what a disk would hold, shared by the Stores that are open
// over it.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "ledger/store.h"

namespace cairn::ledger {

// Stands for the file. Stores over it may live in several threads.
class MemoryDisk {
 private:
  friend class MemoryBackend;

  std::mutex mutex_;  // held while the fields below are touched
  std::condition_variable writer_gone_;
  bool writing_ = false;  // a transaction is open
  std::vector<Bytes> events_;
  std::map<std::pair<Space, std::string>, Bytes> items_;
  LogHead head_{0, sha256({})};
};

Result<std::unique_ptr<Store>> open_memory_store(std::shared_ptr<MemoryDisk> disk);

}  // namespace cairn::ledger
