#include "ledger/store.h"

#include <algorithm>

namespace cairn::ledger {
namespace {

constexpr uint64_t kEventsAtOnce = 1024;

std::string event_name(uint64_t index) {
  return "event " + std::to_string(index);
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(std::unique_ptr<Backend> backend) {
  std::unique_ptr<Store> store(new Store(std::move(backend)));
  CAIRN_CHECK(store->refresh());
  return store;
}

Status Store::refresh() {
  if (uncommitted_from_) return {};  // nobody else can have appended
  CAIRN_TRY(const LogHead head, backend_->head());
  const uint64_t seen = size();
  if (head.size < seen) {
    return error("has " + std::to_string(head.size) + " events where " + std::to_string(seen) +
                 " were seen before; it was replaced by an older copy");
  }
  Status status = extend_to(head);
  if (!status) tree_.truncate(seen);
  return status;
}

Status Store::extend_to(const LogHead& head) {
  while (size() < head.size) {
    CAIRN_TRY(const auto events, backend_->events(size(), std::min(head.size - size(), kEventsAtOnce)));
    if (events.empty()) return error(event_name(size()) + " is missing; restore the file from a copy");
    for (const Bytes& event : events) tree_.append(leaf_hash(event));
  }
  if (tree_.root() != head.root) {
    return error(
        "its events do not have the root of the last commit: it was damaged or changed; restore it from a "
        "copy");
  }
  return {};
}

Status Store::check_size(uint64_t size) const {
  if (size <= this->size()) return {};
  return error("has " + std::to_string(this->size()) + " events, not " + std::to_string(size));
}

Result<LogHead> Store::head_at(uint64_t size) const {
  CAIRN_CHECK(check_size(size));
  return LogHead{size, tree_.root_of(size)};
}

Result<Event> Store::read(uint64_t index) const {
  CAIRN_TRY(std::vector<Event> events, read_range(index, 1));
  if (events.empty())
    return error("has " + std::to_string(size()) + " events, none at " + std::to_string(index));
  return std::move(events[0]);
}

Result<std::vector<Bytes>> Store::read_bytes(uint64_t first, uint64_t count) const {
  if (first >= size()) return std::vector<Bytes>();
  count = std::min(count, size() - first);
  CAIRN_TRY(auto rows, backend_->events(first, count));
  if (rows.size() != count)
    return error(event_name(first + rows.size()) + " is missing; restore the file from a copy");
  return rows;
}

Result<std::vector<Event>> Store::read_range(uint64_t first, uint64_t count) const {
  CAIRN_TRY(const auto rows, read_bytes(first, count));
  std::vector<Event> events;
  events.reserve(rows.size());
  for (const Bytes& row : rows) {
    auto event = decode_event(row);
    if (!event) return error(event.error().within(event_name(first + events.size())).message);
    events.push_back(std::move(event).value());
  }
  return events;
}

Result<std::vector<Digest>> Store::inclusion_proof(uint64_t index, uint64_t size) const {
  CAIRN_CHECK(check_size(size));
  if (index >= size)
    return error("no event " + std::to_string(index) + " among the first " + std::to_string(size));
  return tree_.inclusion_proof(index, size);
}

Result<std::vector<Digest>> Store::consistency_proof(uint64_t old_size, uint64_t new_size) const {
  CAIRN_CHECK(check_size(new_size));
  if (old_size > new_size) {
    return error("a log of " + std::to_string(new_size) + " events does not contain one of " +
                 std::to_string(old_size));
  }
  return tree_.consistency_proof(old_size, new_size);
}

Result<std::vector<Item>> Store::staged() const {
  return backend_->list(Space::staged);
}

Result<std::optional<Bytes>> Store::meta(const std::string& key) const {
  return backend_->get(Space::meta, key);
}

Result<Transaction> Store::begin() {
  if (uncommitted_from_) return error("a transaction is open already");
  CAIRN_CHECK(backend_->begin());
  if (Status status = refresh(); !status) {
    backend_->rollback();
    return status.error();
  }
  uncommitted_from_ = size();
  return Transaction(this);
}

void Store::roll_back() {
  backend_->rollback();
  tree_.truncate(*uncommitted_from_);
  uncommitted_from_.reset();
}

Transaction::~Transaction() {
  if (store_ != nullptr) store_->roll_back();
}

Status Transaction::check_open() const {
  if (store_ == nullptr) return Error{"the transaction is over: it was committed or rolled back"};
  return {};
}

Status Transaction::or_roll_back(Status status) {
  if (!status) std::exchange(store_, nullptr)->roll_back();
  return status;
}

Result<uint64_t> Transaction::append(const Event& event) {
  CAIRN_CHECK(check_open());
  const uint64_t index = store_->size();
  const Bytes bytes = encode(event);
  if (auto decoded = decode_event(bytes); !decoded) {
    CAIRN_CHECK(or_roll_back(store_->error(decoded.error().within(event_name(index)).message)));
  }
  CAIRN_CHECK(or_roll_back(store_->backend_->add_event(index, bytes)));
  store_->tree_.append(leaf_hash(bytes));
  return index;
}

Status Transaction::put(Space space, const std::string& key, BytesView bytes) {
  CAIRN_CHECK(check_open());
  if (key.empty() || key.size() > kMaxKeySize || bytes.size() > kMaxItemSize) {
    return or_roll_back(store_->error("a key needs 1 to " + std::to_string(kMaxKeySize) +
                                      " bytes and a value at most " + std::to_string(kMaxItemSize)));
  }
  return or_roll_back(store_->backend_->put(space, key, bytes));
}

Status Transaction::put_staged(const std::string& key, BytesView bytes) {
  return put(Space::staged, key, bytes);
}

Status Transaction::put_meta(const std::string& key, BytesView bytes) {
  return put(Space::meta, key, bytes);
}

Status Transaction::remove_staged(const std::string& key) {
  CAIRN_CHECK(check_open());
  return or_roll_back(store_->backend_->remove(Space::staged, key));
}

Status Transaction::commit() {
  CAIRN_CHECK(check_open());
  if (store_->size() > *store_->uncommitted_from_) {
    CAIRN_CHECK(or_roll_back(store_->backend_->set_head(store_->head())));
  }
  CAIRN_CHECK(or_roll_back(store_->backend_->commit()));
  store_->uncommitted_from_.reset();
  store_ = nullptr;
  return {};
}

}  // namespace cairn::ledger
