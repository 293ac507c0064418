// The arithmetic of reputations: integers in units of 10^-12, slow to gain and quick to lose.
//
// Pure functions of a policy, without state. The rules of which they are part: docs/internals/trust.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/policy.h"

namespace cairn::trust {

using ledger::Policy;
using ledger::Reputation;

// After one more accepted gradient; never above the maximum.
Reputation grown(const Policy& policy, Reputation reputation);

// The averaging reputation as of the opening of `round`: it follows a fall at once, and rises only in rounds
// that `refresh_rounds` divides, by at most `max_rise`.
Reputation refreshed(const Policy& policy, Reputation averaging, Reputation reputation, uint32_t round);

// What the culprit's fall pays to the first who showed it: half of what there was above the minimum.
Reputation bounty(const Policy& policy, Reputation culprit);

// What an established user has at least: ten steps above the minimum.
Reputation established_reputation(const Policy& policy);

// How many claims may be open at once: one, and one more for each 0.1 of reputation.
uint32_t open_claim_limit(Reputation reputation);

// The floor F that goes with the weights of closed rounds, oldest first: half the (lower) median of the last
// `floor_rounds` of them, and 0 of none.
uint64_t floor_of(const Policy& policy, std::vector<uint64_t> weights);

// The shortest exact decimal with at least three digits after the point: "0.134", "0.00000001".
std::string to_decimal(Reputation reputation);

// Of a decimal from 0 to 1 with at most twelve digits after the point, exactly: "0.134", "1", "0.00000001".
Result<Reputation> from_decimal(std::string_view text);

}  // namespace cairn::trust
