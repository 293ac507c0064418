// The ledger in one SQLite file: docs/formats/ledger.md, "The file".
//
// A write-ahead log synced at every commit, so a commit is one sync of the disk. SQLite takes locks in the
// file system: a ledger is local and not shared over a network drive. While a process has it open, the file's
// newest part lies in FILE-wal beside it; whoever copies one copies both.
#pragma once

#include <filesystem>

#include "ledger/store.h"

namespace cairn::ledger {

struct SqliteOptions {
  int lock_wait_ms = 60'000;  // how long begin() waits for another process
  const char* vfs = nullptr;  // the name of a registered sqlite3_vfs; tests inject faults through it
};

// Refuses a path at which something lies already.
Result<std::unique_ptr<Store>> create_sqlite_store(const std::filesystem::path& path,
                                                   const SqliteOptions& options = {});

// Refuses what is missing, truncated, damaged, of another program or of a newer version of this one.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path,
                                                 const SqliteOptions& options = {});

}  // namespace cairn::ledger
