// What adversaries do to a gradient: each function makes a well-formed gradient file that is not true.
#pragma once

#include <span>
#include <string_view>

#include "work/gradient_file.h"
#include "work/gradient_state.h"

namespace cairn::sim {

enum class Attack { sign_flip, noise, scale, zero };

std::span<const std::string_view> attack_names();
Result<Attack> attack_from_name(std::string_view name);  // "sign-flip", "noise", "scale", "zero"

// The same unit with false values. `seed` draws the noise.
work::GradientFile falsify(work::GradientFile file, Attack attack, uint64_t seed);
// What a unit has reached, as an honest local step would not leave it: who goes on truly from there lies in
// one step alone. Precondition: some steps are done.
work::GradientState falsify(work::GradientState state, uint64_t seed);

}  // namespace cairn::sim
