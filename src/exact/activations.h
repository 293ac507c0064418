// Functions of one variable and their slopes, as docs/formats/arithmetic.md lists them: single binary32
// operations in the order written. Static for the reason given in arithmetic.h; inlined always, so that the
// choice between functions is made outside of the loop over elements.
#pragma once

#include "exact/functions.h"

namespace cairn::exact {

static inline float clip_exact(float x, float low, float high) {
  const float raised = x < low ? low : x;
  return raised > high ? high : raised;
}

static inline float softplus_exact(float x) {
  return (x > 0.0f ? x : 0.0f) + log_exact(1.0f + exp_exact(-float_of(magnitude(x))));
}

static inline float hard_swish_slope(float x) {
  const float sixth = x * 0x1.555556p-3f, v = sixth + 0.5f;
  const float inner = v + sixth;
  return v > 0.0f ? (v < 1.0f ? inner : 1.0f) : 0.0f;
}

static inline float sigmoid_slope(float x) {
  const float s = sigmoid_exact(x);
  return s * (1.0f - s);
}

static inline float tanh_slope(float x) {
  const float t = tanh_exact(x);
  return 1.0f - t * t;
}

static inline float reciprocal_slope(float x) {
  const float r = 1.0f / x;
  return -(r * r);
}

// f(x) with the constants a and b of the function.
__attribute__((always_inline)) static inline float activation_value(Activation f, float x, float a, float b) {
  switch (f) {
    case Activation::sigmoid:
      return sigmoid_exact(x);
    case Activation::hyperbolic_tangent:
      return tanh_exact(x);
    case Activation::error_function:
      return erf_exact(x);
    case Activation::exponential:
      return exp_exact(x);
    case Activation::logarithm:
      return log_exact(x);
    case Activation::square_root:
      return __builtin_sqrtf(x);
    case Activation::reciprocal:
      return 1.0f / x;
    case Activation::absolute:
      return float_of(magnitude(x));
    case Activation::negate:
      return -x;
    case Activation::square:
      return x * x;
    case Activation::cube:
      return (x * x) * x;
    case Activation::clip:
      return clip_exact(x, a, b);
    case Activation::leaky_relu:
      return x > 0.0f ? x : a * x;
    case Activation::elu: {
      const float below = a * (exp_exact(x) - 1.0f);
      return b * (x > 0.0f ? x : below);
    }
    case Activation::softplus:
      return softplus_exact(x);
    case Activation::hard_sigmoid:
      return clip_exact(x * a + b, 0.0f, 1.0f);
    case Activation::hard_swish:
      return x * clip_exact(x * 0x1.555556p-3f + 0.5f, 0.0f, 1.0f);
    case Activation::add_constant:
      return x + a;
    case Activation::multiply_constant:
      return x * a;
  }
  return 0.0f;  // there is no other
}

// f'(x)
__attribute__((always_inline)) static inline float activation_slope(Activation f, float x, float a, float b) {
  switch (f) {
    case Activation::sigmoid:
      return sigmoid_slope(x);
    case Activation::softplus:
      return sigmoid_exact(x);
    case Activation::hyperbolic_tangent:
      return tanh_slope(x);
    case Activation::error_function:
      return 0x1.20dd76p+0f * exp_exact(-(x * x));
    case Activation::exponential:
      return exp_exact(x);
    case Activation::logarithm:
      return 1.0f / x;
    case Activation::square_root:
      return 0.5f / __builtin_sqrtf(x);
    case Activation::reciprocal:
      return reciprocal_slope(x);
    case Activation::absolute:
      return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : 0.0f);
    case Activation::negate:
      return -1.0f;
    case Activation::square:
      return x + x;
    case Activation::cube:
      return 3.0f * (x * x);
    case Activation::clip:
      return x > a ? (x < b ? 1.0f : 0.0f) : 0.0f;
    case Activation::leaky_relu:
      return x > 0.0f ? 1.0f : a;
    case Activation::elu: {
      const float below = a * exp_exact(x);
      return b * (x > 0.0f ? 1.0f : below);
    }
    case Activation::hard_sigmoid: {
      const float v = x * a + b;
      return v > 0.0f ? (v < 1.0f ? a : 0.0f) : 0.0f;
    }
    case Activation::hard_swish:
      return hard_swish_slope(x);
    case Activation::add_constant:
      return 1.0f;
    case Activation::multiply_constant:
      return a;
  }
  return 0.0f;
}

}  // namespace cairn::exact
