// Whom the coordinator knows, for threads that decide before the sequencer is asked: what strangers send is
// turned away cheaply, and known users are served first. Times are Unix milliseconds. Safe from any thread.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "ledger/event.h"

namespace cairn::role {

enum class Acquaintance : uint8_t {
  stranger,
  guest,  // not in the log, but has, or had lately, a unit to compute
  known,  // a key of a user, a judge, the root or the coordinator, at present or once
};

class Acquaintances {
 public:
  Acquaintance of(const PublicKey& key, int64_t now) const;

  void learn(const ledger::Event& event);  // whom it makes known
  void receive(const PublicKey& guest, int64_t now, int64_t until);

 private:
  mutable std::mutex mutex_;
  // No hash tables: strangers choose their keys.
  std::set<PublicKey> known_;
  std::map<PublicKey, int64_t> guests_;  // until when
};

}  // namespace cairn::role
