// The instructions that move values about, on this machine.
#pragma once

#include <span>

#include "model/program.h"

namespace cairn::model {

void concatenate(const Blocks& g, std::span<const float* const> parts, float* y);
void cut(const Range& g, const float* x, float* y);
void surround(const Range& g, const float* x, float* y);
void permute(const Permutation& g, const float* x, float* y);
void repeat(const Repetition& g, const float* x, float* y);
// False where an index is no whole number of [0, rows).
[[nodiscard]] bool embed(const Lookup& g, const float* indices, const float* table, float* y);

}  // namespace cairn::model
