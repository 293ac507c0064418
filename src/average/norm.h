// The length of a gradient, from its integers, and how far that clips it.
#pragma once

#include <compare>
#include <cstdint>

#include "work/gradient_file.h"

namespace cairn::average {

// mantissa * 2^exponent: zero, or a mantissa with its highest bit set, so that the order is the numbers'.
struct Norm {
  int32_t exponent = INT32_MIN;
  uint64_t mantissa = 0;

  bool zero() const { return mantissa == 0; }
  auto operator<=>(const Norm&) const = default;
};

// The Euclidean norm of the whole gradient, to 64 bits, rounded down as the format says.
Norm norm_of(const work::GradientFile& file);

Norm norm_on_grid(uint64_t units);  // of units * 2^-48
Norm twice(const Norm& norm);

// min(1, limit / norm) in units of 2^-30, rounded down; 1 of a zero norm.
inline constexpr uint32_t kUnclipped = uint32_t{1} << 30;
uint32_t clip_factor(const Norm& limit, const Norm& norm);

}  // namespace cairn::average
