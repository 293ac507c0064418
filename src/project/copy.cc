#include "project/copy.h"

#include "base/file.h"
#include "ledger/sqlite_store.h"
#include "project/project.h"
#include "trust/state.h"

namespace cairn::project {
namespace {

namespace fs = std::filesystem;

Status write_ledger(const fs::path& log, const ledger::Event& genesis) {
  CAIRN_TRY(const auto store, ledger::create_sqlite_store(log));
  CAIRN_TRY(ledger::Transaction transaction, store->begin());
  if (auto index = transaction.append(genesis); !index) return index.error();
  return transaction.commit();
}

}  // namespace

// The ledger appears under its name only once it is whole.
Status begin_copy(const fs::path& directory, const std::function<Result<ledger::Event>()>& genesis) {
  CAIRN_CHECK(make_directory(directory));
  CAIRN_TRY(const DirectoryLock lock, DirectoryLock::take(directory));
  const fs::path log = directory / kLogFile;
  std::error_code error;
  if (fs::exists(log, error)) return {};
  CAIRN_TRY(const ledger::Event event, genesis());
  if (!ledger::signature_valid(event.statement))
    return Error{"event 0: signature: does not fit the statement"};
  if (auto state = trust::fold(std::span(&event, 1)); !state) return state.error().within("event 0");
  const fs::path unfinished = log.string() + ".new";
  for (const char* part : {"", "-wal", "-shm"}) fs::remove(unfinished.string() + part, error);
  CAIRN_CHECK(write_ledger(unfinished, event));
  fs::rename(unfinished, log, error);
  if (error) return Error{log.string() + ": cannot be made: " + error.message()};
  return sync_directory(directory);
}

}  // namespace cairn::project
