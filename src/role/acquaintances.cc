#include "role/acquaintances.h"

namespace cairn::role {
namespace {

constexpr size_t kManyGuests = 10'000;  // before those whose time is over are looked for

}  // namespace

Acquaintance Acquaintances::of(const PublicKey& key, int64_t now) const {
  const std::lock_guard lock(mutex_);
  if (known_.contains(key)) return Acquaintance::known;
  const auto guest = guests_.find(key);
  return guest != guests_.end() && guest->second > now ? Acquaintance::guest : Acquaintance::stranger;
}

void Acquaintances::learn(const ledger::Event& event) {
  const ledger::Body& body = event.statement.body;
  const std::lock_guard lock(mutex_);
  if (const auto* genesis = std::get_if<ledger::Genesis>(&body)) {
    known_.insert({genesis->root, genesis->coordinator});
    known_.insert(genesis->judges.begin(), genesis->judges.end());
  } else if (const auto* moved = std::get_if<ledger::CoordinatorMoved>(&body)) {
    known_.insert(moved->coordinator);
  } else if (const auto* added = std::get_if<ledger::JudgeAdded>(&body)) {
    known_.insert(added->judge);
  } else if (std::holds_alternative<ledger::Joined>(body)) {
    known_.insert(event.statement.author);
    guests_.erase(event.statement.author);
  } else if (const auto* device = std::get_if<ledger::DeviceKeyAdded>(&body)) {
    known_.insert(device->device);
  } else if (const auto* rotated = std::get_if<ledger::KeyRotated>(&body)) {
    known_.insert(rotated->successor);
  }
}

void Acquaintances::receive(const PublicKey& guest, int64_t now, int64_t until) {
  const std::lock_guard lock(mutex_);
  if (guests_.size() >= kManyGuests)
    std::erase_if(guests_, [now](const auto& other) { return other.second <= now; });
  guests_[guest] = until;
}

}  // namespace cairn::role
