// exp, log, tanh, erf and sigmoid: single binary32 operations in the order written, no branches, at most 4
// units in the last place from the true value. A NaN, and the logarithm of a negative number, gives the one
// NaN below. Static for the reason given in arithmetic.h.
#pragma once

#include "exact/arithmetic.h"

namespace cairn::exact {

inline constexpr uint32_t kNanBits = 0x7fc00000;

// 0 below -87, +infinity above 88.
static inline float exp_exact(float x) {
  float clamped = x < -87.0f ? -87.0f : x;
  clamped = clamped > 88.0f ? 88.0f : clamped;
  // n = the integer nearest to x / ln 2, in the low bits of a sum with 1.5 * 2^23.
  const float shifted = clamped * 0x1.715476p+0f + 0x1.8p+23f;
  const float n = shifted - 0x1.8p+23f;
  const float r = (clamped - n * 0x1.62ep-1f) - n * 0x1.0bfbe8p-15f;  // ln 2 in two parts
  float p = 0x1.6a4d62p-10f;
  p = p * r + 0x1.123988p-7f;
  p = p * r + 0x1.5558bp-5f;
  p = p * r + 0x1.555492p-3f;
  p = p * r + 0x1.fffffcp-2f;
  const float e = ((p * r) * r + r) + 1.0f;
  const float power = float_of((bits_of(shifted) - 0x4b400000u + 127u) << 23);
  float y = e * power;
  y = x < -87.0f ? 0.0f : y;
  y = x > 88.0f ? float_of(kInfinityBits) : y;
  return x != x ? float_of(kNanBits) : y;
}

static inline float log_exact(float x) {
  const bool subnormal = x < 0x1p-126f;
  const uint32_t bits = bits_of(subnormal ? x * 0x1p+23f : x);
  // x = m * 2^k with m between sqrt(1/2) and sqrt(2).
  const int32_t k = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  const float m = float_of(bits - (static_cast<uint32_t>(k) << 23));
  const float exponent = static_cast<float>(subnormal ? k - 23 : k);
  const float f = m - 1.0f;
  const float s = f / (m + 1.0f);
  const float z = s * s;
  float p = 0x1.f1412ep-3f;
  p = p * z + 0x1.23d3cep-2f;
  p = p * z + 0x1.999c26p-2f;
  p = p * z + 0x1.555554p-1f;
  const float low = s * (f - p * z) - exponent * 0x1.0bfbe8p-15f;
  float y = exponent * 0x1.62ep-1f - (low - f);
  y = x == 0.0f ? -float_of(kInfinityBits) : y;
  y = x == float_of(kInfinityBits) ? x : y;
  return !(x >= 0.0f) ? float_of(kNanBits) : y;
}

static inline float with_sign_of(float size, float x) {
  return float_of(bits_of(size) | (bits_of(x) & ~kMagnitudeMask));
}

static inline float tanh_exact(float x) {
  const float a = float_of(magnitude(x));
  const float z = a * a;
  float p = -0x1.7575b2p-8f;
  p = p * z + 0x1.520c42p-6f;
  p = p * z + -0x1.b837e2p-5f;
  p = p * z + 0x1.1107p-3f;
  p = p * z + -0x1.555532p-2f;
  const float near = a + a * (z * p);
  const float far = 1.0f - 2.0f / (exp_exact(a + a) + 1.0f);
  const float y = with_sign_of(a < 0.625f ? near : far, x);
  return x != x ? float_of(kNanBits) : y;
}

static inline float erf_exact(float x) {
  const float size = float_of(magnitude(x));
  const float a = size > 4.0f ? 4.0f : size;
  const float z = a * a;
  float p = 0x1.48ed6ep-14f;
  p = p * z + -0x1.a491cp-11f;
  p = p * z + 0x1.542c6ap-8f;
  p = p * z + -0x1.b7ff38p-6f;
  p = p * z + 0x1.ce2d5ap-4f;
  p = p * z + -0x1.81274p-2f;
  p = p * z + 0x1.06eba8p-3f;
  const float near = a + a * p;
  // The logarithm of 1 - erf.
  float q = -0x1.5712b6p-16f;
  q = q * a + 0x1.bfceb4p-12f;
  q = q * a + -0x1.0f0798p-8f;
  q = q * a + 0x1.9a0b1cp-6f;
  q = q * a + -0x1.baeff4p-4f;
  q = q * a + -0x1.4456a2p-1f;
  q = q * a + -0x1.2123d8p+0f;
  q = q * a + 0x1.53cd36p-13f;
  const float far = 1.0f - exp_exact(q);
  const float y = with_sign_of(a < 0.875f ? near : far, x);
  return x != x ? float_of(kNanBits) : y;
}

static inline float sigmoid_exact(float x) {
  const float y = 1.0f / (1.0f + exp_exact(-x));
  return x != x ? float_of(kNanBits) : y;
}

}  // namespace cairn::exact
