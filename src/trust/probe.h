// Which entry an auditor recomputes next.
#pragma once

#include <optional>

#include "trust/state.h"

namespace cairn::trust {

// Half of all random words draw uniformly from the entries that neither a duplicate nor the judges have
// confirmed, half by the weight that an entry has in the model at present: high reputations are probed most
// and nobody is exempt. Where one half is empty the other takes its words. Entries that have been judged or
// are the auditor's own are left out (0: no user); nullopt: none is left. A pure function: the same word and
// state give the same entry.
std::optional<EntryId> pick_probe(const State& state, uint64_t random, UserId auditor = 0);

}  // namespace cairn::trust
