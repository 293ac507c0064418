// What a storage engine does for a Store: keeps bytes, in transactions. Everything that knows what the bytes
// mean is in store.h, so that another engine is twelve verbs and the conformance suite (store_test.cc).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ledger/event.h"

namespace cairn::ledger {

// Two name spaces beside the log.
enum class Space : uint8_t { staged = 1, meta = 2 };

struct Item {
  std::string key;
  Bytes bytes;
  bool operator==(const Item&) const = default;
};

// One thread at a time. Outside a transaction only what reads may be called. A verb that fails inside a
// transaction leaves nothing but rollback() to call. Errors start with name().
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // the file, for people

  // Takes the writer's lock, which one Backend over the same storage holds at a time, in whatever process;
  // waits for it for a bounded time. Reads then see all that was committed before.
  virtual Status begin() = 0;
  // Once it succeeds, the writes survive the death of the process and a power loss; if it fails, none of them
  // is seen.
  virtual Status commit() = 0;
  virtual void rollback() = 0;

  virtual Result<LogHead> head() = 0;  // of no events at first
  virtual Status set_head(const LogHead& head) = 0;

  virtual Status add_event(uint64_t index, BytesView bytes) = 0;  // refused where there is one
  // Events from `first` on, ascending without a gap: at most `count`, fewer where the log or a gap ends them.
  virtual Result<std::vector<Bytes>> events(uint64_t first, uint64_t count) = 0;

  virtual Status put(Space space, const std::string& key, BytesView bytes) = 0;
  virtual Status remove(Space space, const std::string& key) = 0;  // removing what is not there succeeds
  virtual Result<std::optional<Bytes>> get(Space space, const std::string& key) = 0;
  virtual Result<std::vector<Item>> list(Space space) = 0;  // ascending by the keys' bytes
};

}  // namespace cairn::ledger
