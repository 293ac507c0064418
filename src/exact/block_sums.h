// Exact sums of blocks, and how they add up: the end of every sum of the fast backends.
#pragma once

#include <span>

#include "exact/arithmetic.h"
#include "exact/kernels.h"

namespace cairn::exact {

struct BlockSum {
  int32_t exponent;  // kEmptyGroup: the block counts for nothing
  int64_t sum;
};

struct BlockMoments {
  int32_t exponent;
  MomentSums sums;
};

struct Moments {
  int32_t exponent = kMinExponent;
  int64_t sum = 0;
  Int128 sum_of_squares = 0;
};

// The sum of all blocks, aligned to the largest exponent and rounded once.
float total_of(std::span<const BlockSum> blocks);

// The aligned totals of all blocks.
Moments moments_of(std::span<const BlockMoments> blocks);

// The mean and the variance of n elements; false if the variance has diverged.
bool finish_moments(const Moments& total, int64_t n, float* mean, float* variance);

}  // namespace cairn::exact
