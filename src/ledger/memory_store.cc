#include "ledger/memory_store.h"

#include <algorithm>
#include <chrono>

namespace cairn::ledger {

// Writes go to an overlay, which commit() moves to the disk.
class MemoryBackend : public Backend {
 public:
  explicit MemoryBackend(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {}
  ~MemoryBackend() override { rollback(); }

  std::string name() const override { return "ledger in memory"; }

  Status begin() override {
    std::unique_lock lock(disk_->mutex_);
    if (!disk_->writer_gone_.wait_for(lock, std::chrono::minutes(1), [this] { return !disk_->writing_; })) {
      return Error{name() + ": somebody else has been writing for a minute; try again later"};
    }
    disk_->writing_ = open_ = true;
    head_ = disk_->head_;
    return {};
  }

  Status commit() override {
    {
      std::lock_guard lock(disk_->mutex_);
      for (Bytes& event : events_) disk_->events_.push_back(std::move(event));
      for (auto& [key, bytes] : items_) {
        if (bytes) {
          disk_->items_[key] = std::move(*bytes);
        } else {
          disk_->items_.erase(key);
        }
      }
      disk_->head_ = head_;
    }
    rollback();  // which now finds nothing to undo
    return {};
  }

  void rollback() override {
    if (!open_) return;
    events_.clear();
    items_.clear();
    open_ = false;
    {
      std::lock_guard lock(disk_->mutex_);
      disk_->writing_ = false;
    }
    disk_->writer_gone_.notify_one();
  }

  Result<LogHead> head() override {
    std::lock_guard lock(disk_->mutex_);
    return open_ ? head_ : disk_->head_;
  }

  Status set_head(const LogHead& head) override {
    head_ = head;
    return {};
  }

  Status add_event(uint64_t index, BytesView bytes) override {
    std::lock_guard lock(disk_->mutex_);
    if (index != disk_->events_.size() + events_.size()) return Error{name() + ": not the next event"};
    events_.emplace_back(bytes.begin(), bytes.end());
    return {};
  }

  Result<std::vector<Bytes>> events(uint64_t first, uint64_t count) override {
    std::lock_guard lock(disk_->mutex_);
    std::vector<Bytes> result;
    const uint64_t kept = disk_->events_.size();
    for (uint64_t i = first; i < kept + events_.size() && result.size() < count; ++i) {
      result.push_back(i < kept ? disk_->events_[i] : events_[i - kept]);
    }
    return result;
  }

  Status put(Space space, const std::string& key, BytesView bytes) override {
    items_[{space, key}] = Bytes(bytes.begin(), bytes.end());
    return {};
  }

  Status remove(Space space, const std::string& key) override {
    items_[{space, key}] = std::nullopt;
    return {};
  }

  Result<std::optional<Bytes>> get(Space space, const std::string& key) override {
    std::lock_guard lock(disk_->mutex_);
    const auto changed = items_.find({space, key});
    if (changed != items_.end()) return changed->second;
    const auto kept = disk_->items_.find({space, key});
    if (kept == disk_->items_.end()) return std::optional<Bytes>();
    return std::optional(kept->second);
  }

  Result<std::vector<Item>> list(Space space) override {
    std::map<std::string, std::optional<Bytes>> merged;
    {
      std::lock_guard lock(disk_->mutex_);
      for (const auto& [key, bytes] : disk_->items_) {
        if (key.first == space) merged[key.second] = bytes;
      }
    }
    for (const auto& [key, bytes] : items_) {
      if (key.first == space) merged[key.second] = bytes;
    }
    std::vector<Item> items;
    for (auto& [key, bytes] : merged) {
      if (bytes) items.push_back({key, std::move(*bytes)});
    }
    return items;
  }

 private:
  std::shared_ptr<MemoryDisk> disk_;
  bool open_ = false;
  LogHead head_;
  std::vector<Bytes> events_;
  std::map<std::pair<Space, std::string>, std::optional<Bytes>> items_;
};

Result<std::unique_ptr<Store>> open_memory_store(std::shared_ptr<MemoryDisk> disk) {
  return Store::open(std::make_unique<MemoryBackend>(std::move(disk)));
}

}  // namespace cairn::ledger
