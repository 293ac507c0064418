// What was loaded lately, within a budget of memory.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/result.h"

namespace cairn::data {

// Keeps values by number and drops those that were used least recently once their bytes exceed the budget;
// the newest stays, however large it is. A value that was handed out lives as long as somebody holds it. Safe
// for several threads: they load different values side by side, and one value only once.
template <typename T>
class ShardCache {
 public:
  // size() says how many bytes a value takes.
  ShardCache(uint64_t budget, uint64_t (*size)(const T&)) : budget_(budget), size_(size) {}

  // load() gives a Result<T>. A failure is not kept: the next call tries again.
  template <typename Load>
  Result<std::shared_ptr<const T>> get(uint64_t key, const Load& load) {
    const std::shared_ptr<Slot> slot = use(key);
    std::lock_guard lock(slot->mutex);
    if (!slot->value) {
      CAIRN_TRY(T loaded, load());
      slot->value = std::make_shared<const T>(std::move(loaded));
      count(key, slot);
    }
    return slot->value;
  }

 private:
  struct Slot {
    std::mutex mutex;  // held while loading
    std::shared_ptr<const T> value;
  };
  struct Entry {
    uint64_t key;
    std::shared_ptr<Slot> slot;
    uint64_t bytes = 0;  // 0 until it is loaded
  };
  using Entries = std::list<Entry>;

  // The slot of this key, which is now the most recent.
  std::shared_ptr<Slot> use(uint64_t key) {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    if (found != places_.end()) {
      entries_.splice(entries_.begin(), entries_, found->second);
    } else {
      entries_.push_front({key, std::make_shared<Slot>(), 0});
      places_[key] = entries_.begin();
    }
    return entries_.front().slot;
  }

  // Counts what has just been loaded, and makes room for it.
  void count(uint64_t key, const std::shared_ptr<Slot>& slot) {
    const uint64_t bytes = size_(*slot->value);
    std::lock_guard lock(mutex_);
    const auto found = places_.find(key);
    // While it was loaded, others may have pushed it out again.
    if (found == places_.end() || found->second->slot != slot) return;
    found->second->bytes = bytes;
    held_ += bytes;
    while (held_ > budget_ && entries_.size() > 1) {
      held_ -= entries_.back().bytes;
      places_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

  const uint64_t budget_;
  uint64_t (*const size_)(const T&);
  std::mutex mutex_;  // never held while loading
  Entries entries_;   // the most recent first
  std::unordered_map<uint64_t, typename Entries::iterator> places_;
  uint64_t held_ = 0;
};

}  // namespace cairn::data
