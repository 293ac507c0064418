// The small steps that the definition of exact arithmetic is made of (docs/formats/arithmetic.md).
//
// Everything is `static inline`, without templates of the standard library: a file compiled for one
// instruction set must not lend its copy of a shared function to the rest of the program.
#pragma once

#include <cstdint>

#include "exact/backend.h"

namespace cairn::exact {

// Elements to a block of an exact sum.
inline constexpr int64_t kBlock = 1 << 14;
// Bits of the integers within a block of a sum, and of moments.
inline constexpr int kSumBits = 31;
inline constexpr int kMomentBits = 25;
// The exponents that a group can have.
inline constexpr int32_t kMinExponent = -56;
inline constexpr int32_t kMaxExponent = 63;
// Bits kept below the largest exponent when rows of different exponents are added.
inline constexpr int kGuardBits = 14;

inline constexpr uint32_t kMagnitudeMask = 0x7fffffff;
inline constexpr uint32_t kInfinityBits = 0x7f800000;

static inline uint32_t bits_of(float x) {
  return __builtin_bit_cast(uint32_t, x);
}
static inline float float_of(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
static inline uint32_t magnitude(float x) {
  return bits_of(x) & kMagnitudeMask;
}

// 2^exponent, for -126 <= exponent <= 127.
static inline float power_of_two(int32_t exponent) {
  return float_of(static_cast<uint32_t>(exponent + 127) << 23);
}

// To the nearest integer, ties to even. Precondition: |x| < 2^31.
static inline int32_t round_to_integer(float x) {
  return static_cast<int32_t>(__builtin_lrintf(x));
}

// The exponent of a group whose largest magnitude has the bits m, for integers of `bits` bits; false if it
// has diverged.
static inline bool group_exponent(uint32_t m, int bits, int32_t* exponent) {
  if (m == 0) {
    *exponent = kEmptyGroup;
    return true;
  }
  // A mantissa above 2 - 2^(2 - bits) does not fit below 2^(bits-1): the carry moves it to the next power.
  const uint32_t carry = bits < 25 ? (1u << (25 - bits)) - 1 : 0;
  const int32_t e = static_cast<int32_t>((m + carry) >> 23) - 125 - bits;
  *exponent = e < kMinExponent ? kMinExponent : e;
  return m < kInfinityBits && e <= kMaxExponent;
}

// The dither's hash: 32 bits to 32 bits. Only the upper half is used.
static inline uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  x *= 0x846ca68b;
  return x;
}

// t rounded at random to a multiple of 2^16, divided by 2^16. Precondition: |t| <= 2^30.
static inline int16_t dithered(int32_t t, uint32_t random) {
  return static_cast<int16_t>((t + static_cast<int32_t>(mix(random) >> 16)) >> 16);
}

// value * 2^-shift to the nearest integer, ties to even. Preconditions: |value| < 2^62 (2^126); a negative
// shift does not overflow.
template <typename Integer>
static inline Integer shift_rounded(Integer value, int shift) {
  constexpr int kBits = static_cast<int>(sizeof(Integer)) * 8;
  if (shift <= 0) return value * (Integer{1} << -shift);
  if (shift >= kBits - 1) return 0;
  const Integer below = value >> shift;
  const Integer rest = value - below * (Integer{1} << shift);
  const Integer half = Integer{1} << (shift - 1);
  return below + ((rest > half || (rest == half && (below & 1) != 0)) ? 1 : 0);
}

__extension__ using Int128 = __int128;

// I2F: a single rounding to binary32, ties to even; zero gives +0.
static inline float to_binary32(int64_t value) {
  return static_cast<float>(value);
}
static inline float to_binary32(Int128 value) {
  const bool negative = value < 0;
  Int128 size = negative ? -value : value;
  int shift = 0;
  while (size >= (Int128{1} << 62)) {
    size = (size >> 1) | (size & 1);  // what is lost leaves a mark, which decides ties
    ++shift;
  }
  const float rounded = static_cast<float>(static_cast<int64_t>(size)) * power_of_two(shift);
  return negative ? -rounded : rounded;
}

}  // namespace cairn::exact
