// The inner loops of the fast backends, everything but products and convolutions: one table of functions for
// each instruction set, all compiled from kernels.inc.
//
// A function works on n contiguous elements on the calling thread. `each` in a name means that a parameter of
// the operation is an array with one value for each element.
#pragma once

#include <cstdint>

#include "exact/backend.h"

namespace cairn::exact {

struct MomentSums {
  int64_t sum;
  int64_t sum_of_squares;
};

struct Kernels {
  using Unary = void (*)(const float* x, int64_t n, float* y);
  using Binary = void (*)(const float* a, const float* b, int64_t n, float* y);
  using WithConstant = void (*)(const float* x, float c, int64_t n, float* y);

  // The largest bits without sign; and the same of every column, added row by row.
  uint32_t (*largest_magnitude)(const float* x, int64_t n);
  void (*raise_magnitudes)(const float* x, int64_t n, uint32_t* largest);

  // q = rint(x * factor), or dithered with mix(random + i). A factor of 0 gives 0.
  void (*quantize)(const float* x, float factor, int64_t n, int16_t* q);
  void (*quantize_each)(const float* x, const float* factors, int64_t n, int16_t* q);
  void (*quantize_dithered)(const float* x, float factor, uint32_t random, int64_t n, int16_t* q);
  void (*quantize_dithered_each)(const float* x, const float* factors, uint32_t random, int64_t n,
                                 int16_t* q);

  // Exact sums of rint(x * factor) over a block: n <= kBlock, |x * factor| < 2^30 (2^24 for moments).
  int64_t (*sum_block)(const float* x, float factor, int64_t n);
  MomentSums (*moment_block)(const float* x, float factor, int64_t n);
  // Blocks of one element, added row by row: totals[i] += x[i] as an integer at the scale factors[i].
  void (*sum_row)(const float* x, const float* factors, int64_t n, int64_t* totals);
  void (*moment_row)(const float* x, const float* factors, int64_t n, int64_t* sums,
                     int64_t* sums_of_squares);

  Binary add, subtract, multiply, divide;
  WithConstant add_constant, scale, add_scaled;
  Binary relu_gradient;
  Unary square_root, relu, exponential, logarithm, hyperbolic_tangent, error_function, sigmoid;

  // By the number of the Activation.
  using Activate = void (*)(const float* x, float a, float b, int64_t n, float* y);
  using ActivationGradient = void (*)(const float* x, const float* dy, float a, float b, int64_t n,
                                      float* dx);
  Activate activate[kActivations];
  ActivationGradient activation_gradient[kActivations];

  // y = mix(random + i) < threshold ? +0 : x * scale
  void (*dropout)(const float* x, uint32_t random, uint32_t threshold, float scale, int64_t n, float* y);

  // The exact sum of a[i] * b[i].
  int64_t (*dot)(const int16_t* a, const int16_t* b, int64_t n);

  // y = ((x - mean) * inverse) * gamma + beta
  void (*normalize)(const float* x, float mean, float inverse, float gamma, float beta, int64_t n, float* y);
  void (*normalize_each)(const float* x, const float* mean, const float* inverse, const float* gamma,
                         const float* beta, int64_t n, float* y);
  // y = dy * ((x - mean) * inverse)
  void (*gamma_terms)(const float* x, const float* dy, float mean, float inverse, int64_t n, float* y);
  void (*gamma_terms_each)(const float* x, const float* dy, const float* mean, const float* inverse,
                           int64_t n, float* y);
  // dx = ((dy - mean_beta) - ((x - mean) * inverse) * mean_gamma) * slope
  void (*normalize_gradient)(const float* x, const float* dy, float mean, float inverse, float mean_beta,
                             float mean_gamma, float slope, int64_t n, float* dx);
  void (*normalize_gradient_each)(const float* x, const float* dy, const float* mean, const float* inverse,
                                  const float* mean_beta, const float* mean_gamma, const float* slope,
                                  int64_t n, float* dx);

  // One tap of a pooling window, for a row of n windows `stride` elements apart.
  // Takes x[i * stride] where chosen[i] is negative or x is strictly larger than best[i].
  void (*max_tap)(const float* x, int64_t stride, int32_t index, int64_t n, float* best, int32_t* chosen);
  void (*magnitude_tap)(const float* x, int64_t stride, int64_t n, uint32_t* largest);
  void (*sum_tap)(const float* x, int64_t stride, const float* factors, int64_t n, int64_t* totals);

  // t = exp(z - largest); the result is the exact sum of rint(t * 2^30).
  float (*largest_value)(const float* x, int64_t n);  // of finite values; either zero if both are largest
  int64_t (*softmax_terms)(const float* z, float largest, int64_t n, float* t);
  WithConstant divide_by;
};

// Precondition: the processor runs `isa`, which is not scalar.
const Kernels& kernels_for(Isa isa);

extern const Kernels kKernelsAvx2;
extern const Kernels kKernelsAvx512;
extern const Kernels kKernelsNeon;

}  // namespace cairn::exact
