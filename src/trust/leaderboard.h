// Where everybody stands: users by reputation, and their parts of the model.
//
// A pure function of the state, in integers.
#pragma once

#include <vector>

#include "trust/state.h"

namespace cairn::trust {

struct Place {
  uint32_t rank = 0;  // from 1; of two with the same reputation, who joined first is before
  UserId user = 0;
  Reputation reputation = 0;
  uint64_t accepted = 0, revoked = 0;  // entries
  uint32_t weight_ppm = 0;             // of the summed weights of all averaged entries: parts in a million
  bool operator==(const Place&) const = default;
};

std::vector<Place> leaderboard(const State& state);  // by rank

}  // namespace cairn::trust
