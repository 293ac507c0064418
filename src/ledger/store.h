// The ledger at rest: an append-only list of events under a Merkle root, submissions put aside until a round
// closes, and small values beside them.
//
// One thread at a time for each Store; any number of Stores, in any number of processes, may be open over the
// same storage. A Store shows the log as of its opening, its last refresh() or its last transaction. Errors
// name the file and the event.
#pragma once

#include <memory>
#include <utility>

#include "ledger/backend.h"
#include "ledger/merkle.h"

namespace cairn::ledger {

inline constexpr size_t kMaxItemSize = size_t{1} << 20;  // staged bytes and meta values
inline constexpr size_t kMaxKeySize = 256;

class Transaction;

class Store {
 public:
  // Reads the whole log and refuses it unless its root is the one written with the last commit.
  static Result<std::unique_ptr<Store>> open(std::unique_ptr<Backend> backend);

  uint64_t size() const { return tree_.size(); }
  LogHead head() const { return {tree_.size(), tree_.root()}; }
  Result<LogHead> head_at(uint64_t size) const;  // as it was when the log had `size` events

  Result<Event> read(uint64_t index) const;
  // The events from `first` on: `count` of them, or fewer where the log ends. Long logs are read in pieces.
  Result<std::vector<Event>> read_range(uint64_t first, uint64_t count) const;

  // The same as the bytes that the leaves are hashes of.
  Result<std::vector<Bytes>> read_bytes(uint64_t first, uint64_t count) const;

  const MerkleTree& tree() const { return tree_; }

  // Proofs of merkle.h. Refused where the sizes exceed the log.
  Result<std::vector<Digest>> inclusion_proof(uint64_t index, uint64_t size) const;
  Result<std::vector<Digest>> consistency_proof(uint64_t old_size, uint64_t new_size) const;

  Result<std::vector<Item>> staged() const;  // ascending by key
  Result<std::optional<Bytes>> meta(const std::string& key) const;

  // Takes in what others appended. Refuses storage whose log is not a continuation of the one seen before.
  Status refresh();

  // Waits for the writer's lock, takes it, and refreshes. One at a time; the Store outlives it.
  Result<Transaction> begin();

 private:
  friend class Transaction;
  explicit Store(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}
  Status extend_to(const LogHead& head);
  void roll_back();
  Error error(const std::string& message) const { return {backend_->name() + ": " + message}; }
  Status check_size(uint64_t size) const;

  std::unique_ptr<Backend> backend_;
  MerkleTree tree_;
  std::optional<uint64_t> uncommitted_from_;  // while a transaction is open: the size at its beginning
};

// Changes that take effect together at commit(), or not at all: when it is destroyed before, or any call
// fails. Until then its own Store shows them and no other does. It holds the writer's lock: validate, append,
// commit, let go.
class [[nodiscard]] Transaction {
 public:
  Transaction(Transaction&& other) noexcept : store_(std::exchange(other.store_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // The index of the event. Refused if the event could not be read back.
  Result<uint64_t> append(const Event& event);

  Status put_staged(const std::string& key, BytesView bytes);
  Status remove_staged(const std::string& key);
  Status put_meta(const std::string& key, BytesView bytes);

  // Once it succeeds, everything is kept through kill -9 and power loss.
  Status commit();

 private:
  friend class Store;
  explicit Transaction(Store* store) : store_(store) {}
  Status put(Space space, const std::string& key, BytesView bytes);
  Status check_open() const;
  Status or_roll_back(Status status);

  Store* store_;  // null once committed or rolled back
};

}  // namespace cairn::ledger
