// Which entry an auditor recomputes next.
#pragma once

#include <optional>
#include <set>

#include "trust/state.h"

namespace cairn::trust {

// Half of all random words draw uniformly from the entries that neither a duplicate nor the judges have
// confirmed, half by the weight that an entry has in the model at present: high reputations are probed most
// and nobody is exempt. Where one half is empty the other takes its words. Entries that have been judged or
// are the auditor's own (0: no user) are left out, and what the auditor has found true; nullopt: none is left. A
// pure function: the same arguments give the same entry.
std::optional<EntryId> pick_probe(const State& state, uint64_t random, UserId auditor = 0,
                                  const std::set<EntryId>& found_true = {});

}  // namespace cairn::trust
