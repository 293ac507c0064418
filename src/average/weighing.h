// How much every entry counts: from the state of the ledger to one coefficient for each entry.
#pragma once

#include <functional>
#include <map>

#include "average/contribution.h"
#include "average/norm.h"
#include "trust/state.h"

namespace cairn::average {

using NormOf = std::function<Result<Norm>(trust::EntryId)>;

// The coefficients with which the averaged entries enter the parameters of the next round. Norms are asked
// for only where the policy clips.
Result<std::map<trust::EntryId, Coefficient>> weigh(const trust::State& state, const NormOf& norm_of);

// Whether weigh() says the same after such an event as before it.
bool leaves_weights(const ledger::Body& body);

}  // namespace cairn::average
