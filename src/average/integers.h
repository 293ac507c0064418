// Integers of 128 bits, and division by a power of two with one rounding.
#pragma once

#include <bit>
#include <cstdint>

namespace cairn::average {

__extension__ typedef unsigned __int128 Wide;

inline int bit_length(Wide value) {
  const auto high = static_cast<uint64_t>(value >> 64);
  return 128 - (high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<uint64_t>(value)));
}

// rne(value / 2^shift): to nearest, ties to even. Precondition: |value| < 2^62 and 1 <= shift <= 62.
inline int64_t rounded_shift(int64_t value, int shift) {
  const int64_t below_half = (int64_t{1} << (shift - 1)) - 1;
  const int64_t odd = (value >> shift) & 1;
  return (value + below_half + odd) >> shift;
}

}  // namespace cairn::average
