// What the log says about units at present: which are done, and who is at which by an entry that is still
// sealed. Kept from event to event, since every lease asks for it.
//
// Pure; one thread at a time for each board.
#pragma once

#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "trust/state.h"

namespace cairn::project {

using Place = std::pair<trust::UnitId, trust::Round>;  // a unit, computed from the snapshot of a round

// It no longer counts: revoked or suspended.
bool gone(const trust::Entry& entry);

struct UnitBoard {
  struct Sealed {
    size_t places = 0;                  // of the entries that a unit takes
    std::vector<trust::UserId> people;  // whose entry is neither revoked nor suspended
    bool operator==(const Sealed&) const = default;
  };

  std::set<trust::UnitId> done;  // an entry of them is averaged
  trust::UnitId first_left = 0;  // all before it are done
  std::map<Place, Sealed> sealed;
  size_t entries = 0;  // of the log

  bool is_done(trust::UnitId unit) const { return unit < first_left || done.contains(unit); }
  bool operator==(const UnitBoard&) const = default;
};

UnitBoard unit_board(const trust::State& state);

// Takes in what happened since the board was made; `state` is the one after it. Costs little where people
// only joined and handed in, and the whole history where something else happened, such as a verdict.
void follow(UnitBoard& board, const trust::State& state, std::span<const ledger::Event> events);

}  // namespace cairn::project
