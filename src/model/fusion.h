// Joins instructions that work element by element, so that what one gives the next never goes through memory.
#pragma once

#include <functional>

#include "model/program.h"

namespace cairn::model {

// Changes no bit of any result. To be called before memory is planned; checks are joined too, so they must be
// there. Buffers that are kept or fixed are written as before.
void fuse(Program& program);

// One chain of these parts, which writes those of their results that are needed and all that its end gives.
Instruction chain_of(std::vector<Instruction> parts, const std::function<bool(BufferId)>& needed);

}  // namespace cairn::model
