// Random and hostile binary32 inputs for the tests of the fast backends.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "exact/arithmetic.h"

namespace cairn::exact {

enum class Floats {
  plain,       // about 1
  wide,        // exponents all over the range that groups can have
  tiny,        // around the smallest exponent of a group, and far below
  subnormal,   // with zeros of both signs
  zeros,       // of both signs
  one_huge,    // one value 2^40 times the rest
  all_equal,   // the same magnitude everywhere
  few_values,  // small integers: many ties
  any_finite,  // random bits; most groups diverge
  one_infinity,
  one_nan,
};
inline constexpr int kFloats = 11;

inline float random_float(std::mt19937_64& random, Floats kind) {
  const uint32_t bits = static_cast<uint32_t>(random());
  const float plain = std::ldexp(static_cast<float>(static_cast<int32_t>(bits)), -31);
  const int power = static_cast<int>(random() % 130);
  switch (kind) {
    case Floats::wide:
      return std::ldexp(plain, power - 65);
    case Floats::tiny:
      return std::ldexp(plain, -power - 20);
    case Floats::subnormal:
      return float_of((bits & 0x80000000u) | (bits % 5 == 0 ? 0 : bits & 0x007fffff));
    case Floats::zeros:
      return float_of(bits & 0x80000000u);
    case Floats::all_equal:
      return (bits & 1) != 0 ? 0x1.fffffep+3f : -0x1.fffffep+3f;
    case Floats::few_values:
      return static_cast<float>(static_cast<int>(bits % 9) - 4);
    case Floats::any_finite:
      return float_of((bits & 0x7f800000u) == kInfinityBits ? bits ^ 0x40000000u : bits);
    default:
      return plain;
  }
}

inline std::vector<float> random_floats(std::mt19937_64& random, int64_t n, Floats kind) {
  std::vector<float> x(static_cast<size_t>(n));
  for (float& v : x) v = random_float(random, kind);
  if (n == 0) return x;
  float& victim = x[random() % x.size()];
  if (kind == Floats::one_huge) victim = 0x1.234568p+40f;
  if (kind == Floats::one_infinity) victim = -std::numeric_limits<float>::infinity();
  if (kind == Floats::one_nan) victim = float_of(0xffc00001u);
  return x;
}

}  // namespace cairn::exact
