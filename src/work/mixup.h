// How strongly images are mixed: what a recipe's `mixup = alpha` becomes when a project is made.
#pragma once

#include <cstdint>
#include <vector>

namespace cairn::work {

inline constexpr double kMinMixup = 0.05;
inline constexpr double kMaxMixup = 8;

// kMixupShares quantiles, in the middle of equal parts, of the larger of x and 1 - x where x is distributed
// as Beta(alpha, alpha); in units of 2^-16, ascending. Mixing goes both ways, so the smaller shares are there
// too. The recipe keeps the numbers, so that only who makes the project computes them.
// Precondition: kMinMixup <= alpha <= kMaxMixup.
std::vector<uint16_t> mixup_shares(double alpha);

}  // namespace cairn::work
