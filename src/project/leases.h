// Who computes which unit from the snapshot of which round, and how duplicates are handed out blindly.
//
// Leases are the host's own business and no part of the log. All of this is pure: whoever holds the leases,
// in a store or in memory, hands in clock and randomness.
#pragma once

#include <vector>

#include "project/unit_board.h"
#include "work/unit.h"

namespace cairn::project {

// A unit put aside for one user, also past the end of its round for as long as late entries are taken. A
// lapsed or returned lease leaves its unit to the next who asks.
struct Lease {
  trust::UnitId unit = 0;
  trust::Round round = 0;  // whose snapshot it is to be computed from
  PublicKey holder;
  uint32_t slot = 0;     // of the holder: asking again for the same slot gives the same lease
  int64_t expires = 0;   // Unix milliseconds
  bool doubled = false;  // the unit is also for somebody else; its holder is not told
  bool operator==(const Lease&) const = default;
};

inline constexpr int64_t kLeaseTime = 60 * 60 * 1000;  // milliseconds
inline constexpr uint32_t kMaxSlots = 16;              // of one user
inline constexpr uint32_t kMaxLeases = 10'000;         // at once
inline constexpr uint32_t kMaxNewcomerLeases = 1000;   // of them, by keys that are not in the log yet

using Leases = std::vector<Lease>;  // in the order in which they were handed out

Bytes encode_leases(const Leases& leases);
Result<Leases> decode_leases(BytesView bytes);

// The leases that still count: neither lapsed nor used up, and an entry for them would be taken.
Leases current_leases(const trust::State& state, Leases leases, int64_t now);

struct LeaseRequest {
  PublicKey user;
  uint32_t slot = 0;    // below kMaxSlots; several for whoever computes several units at once
  int64_t now = 0;      // Unix milliseconds
  uint64_t random = 0;  // unpredictable to the users
};

// The lease that answers a request: the one that the user holds in that slot, or a new one, which the caller
// adds to `leases`. Preconditions: a round is open, `leases` are current, and `board` is that of the state.
// The rule: docs/internals/trust.md. Refusals say what to do.
Result<Lease> choose_lease(const trust::State& state, const UnitBoard& board, const work::UnitOrder& order,
                           const Leases& leases, const LeaseRequest& request);

// Whether the user may send an entry for a unit, computed from the snapshot of that current round: it is
// leased to them, or nobody else's.
Status check_lease(const trust::State& state, const UnitBoard& board, const Leases& leases,
                   trust::Round round, trust::UnitId unit, const PublicKey& user);

// Whether a sealed entry is to stay sealed past the close of the open round, since somebody else is still at
// its unit: whoever opens it spoils the duplicate. The last round that takes the duplicate opens it all the
// same.
bool awaits_duplicate(const trust::State& state, const Leases& leases, trust::EntryId entry);

}  // namespace cairn::project
