#include "exact/block_sums.h"

#include <algorithm>

namespace cairn::exact {

float total_of(std::span<const BlockSum> blocks) {
  int32_t e = kMinExponent;
  for (const BlockSum& block : blocks) e = std::max(e, block.exponent);
  int64_t total = 0;
  for (const BlockSum& block : blocks)
    if (block.exponent != kEmptyGroup) total += shift_rounded(block.sum, e - block.exponent);
  return to_binary32(total) * power_of_two(e);
}

Moments moments_of(std::span<const BlockMoments> blocks) {
  Moments total;
  for (const BlockMoments& block : blocks) total.exponent = std::max(total.exponent, block.exponent);
  for (const BlockMoments& block : blocks) {
    if (block.exponent == kEmptyGroup) continue;
    const int32_t shift = total.exponent - block.exponent;
    total.sum += shift_rounded(block.sums.sum, shift);
    total.sum_of_squares += shift_rounded(block.sums.sum_of_squares, 2 * shift);
  }
  return total;
}

bool finish_moments(const Moments& total, int64_t n, float* mean, float* variance) {
  *mean = (to_binary32(total.sum) / to_binary32(n)) * power_of_two(total.exponent);
  const Int128 spread = n * total.sum_of_squares - Int128{total.sum} * total.sum;
  const float scaled = to_binary32(std::max(Int128{0}, spread)) / to_binary32(Int128{n} * n);
  *variance = scaled * power_of_two(2 * total.exponent);
  return magnitude(*variance) < kInfinityBits;
}

}  // namespace cairn::exact
