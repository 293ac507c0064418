// How commands tell which steps of a unit they are about.
#pragma once

#include "base/json.h"
#include "project/dispute.h"

namespace cairn::cmd {

// Adds which stretch it is, and its steps from the first to behind the last; nothing where it is none.
void add_stretch(Json& json, const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch);

// " in steps 96 to 128 of 512"; nothing where it is no stretch.
std::string in_steps(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch);

// "recomputing", or "recomputing steps 96 to 128 of 512".
std::string recomputing(const work::Recipe& recipe, const std::optional<ledger::Stretch>& stretch);

}  // namespace cairn::cmd
