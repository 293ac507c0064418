#include "average/norm.h"

#include <algorithm>
#include <bit>

#include "average/integers.h"

namespace cairn::average {
namespace {

// The values of block `b`.
std::span<const int16_t> block(const work::GradientFile& file, size_t b) {
  const size_t begin = b * file.block_size;
  const size_t size = std::min<size_t>(file.block_size, file.values.size() - begin);
  return std::span(file.values).subspan(begin, size);
}

uint64_t sum_of_squares(std::span<const int16_t> values) {
  uint64_t sum = 0;
  for (int32_t value : values) sum += static_cast<uint64_t>(value * value);
  return sum;
}

// floor(sqrt(value)), one bit after the other.
uint64_t square_root(Wide value) {
  uint64_t root = 0;
  for (uint64_t bit = uint64_t{1} << 63; bit != 0; bit >>= 1) {
    const Wide candidate = root | bit;
    if (candidate * candidate <= value) root |= bit;
  }
  return root;
}

}  // namespace

Norm norm_of(const work::GradientFile& file) {
  std::vector<uint64_t> squares(file.exponents.size());
  int largest = INT32_MIN;
  for (size_t b = 0; b < squares.size(); ++b) {
    squares[b] = sum_of_squares(block(file, b));
    if (squares[b] != 0) largest = std::max<int>(largest, file.exponents[b]);
  }
  Wide sum = 0;  // of squares, in units of 2^(2 * largest - 64); below 2^122
  for (size_t b = 0; b < squares.size(); ++b) {
    if (squares[b] == 0) continue;
    const int shift = 2 * (largest - file.exponents[b]);
    if (shift < 128) sum += Wide{squares[b]} << 64 >> shift;
  }
  if (sum == 0) return {};
  const int half_shift = (128 - bit_length(sum)) / 2;
  return {largest - 32 - half_shift, square_root(sum << (2 * half_shift))};
}

Norm norm_on_grid(uint64_t units) {
  if (units == 0) return {};
  const int shift = std::countl_zero(units);
  return {-48 - shift, units << shift};
}

Norm twice(const Norm& norm) {
  if (norm.zero()) return norm;
  return {norm.exponent + 1, norm.mantissa};
}

uint32_t clip_factor(const Norm& limit, const Norm& norm) {
  if (limit >= norm) return kUnclipped;
  if (limit.zero()) return 0;
  const int shift = limit.exponent - norm.exponent + 30;
  if (shift < 0) return 0;
  return static_cast<uint32_t>((Wide{limit.mantissa} << shift) / norm.mantissa);
}

}  // namespace cairn::average
