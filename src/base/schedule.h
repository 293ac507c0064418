// Learning-rate schedules: piecewise linear over rounds, in integers.
#pragma once

#include <cstdint>
#include <span>

namespace cairn {

// From `round` on the rate is `rate` / 2^40, moving in a straight line to the next knot.
struct RateKnot {
  uint32_t round;
  uint64_t rate;
  bool operator==(const RateKnot&) const = default;
};

// The rate at `round` in units of 2^-40, rounded down. Before the first knot it is the first rate, after the
// last knot the last one. Precondition: `knots` is not empty and its rounds ascend strictly.
uint64_t rate_at(std::span<const RateKnot> knots, uint32_t round);

}  // namespace cairn
