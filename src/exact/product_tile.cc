#include "exact/product_tile.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cairn::exact {
Bound measure_pairs(const Microkernels& kernels, const int16_t* panel, int width, int64_t pairs) {
  constexpr int64_t kPairs = 128;
  double sum = 0, largest = 0;
  for (int64_t first = 0; first < pairs; first += kPairs) {
    const int64_t count = std::min(kPairs, pairs - first);
    const PanelSquares squares = kernels.measure(panel + first * width * 2, width, count);
    sum += squares.sum;
    largest = std::max(largest, squares.pair);
  }
  return {std::sqrt(sum), std::sqrt(largest)};
}

// Multiplies as many blocks at a time as the bounds allow.
void TileMultiplier::add(std::span<const Block> blocks, const RowPanel& a, const ColumnPanel& b,
                         const Sums& sums, int32_t* tile) const {
  const int64_t size = a.rows * kernels_.columns;
  const auto bound_of = [&](size_t i, double Bound::*kind) { return a.bounds[i].*kind * b.bounds[i].*kind; };
  for_each_bounded_range(
      blocks, bound_of,
      [&](int64_t begin, int64_t end, int shift) {
        kernels_.multiply(a.rows, end - begin, a.pairs + begin * a.rows * 2, b.pairs, b.places + begin, tile);
        kernels_.accumulate(tile, size, std::max(shift, 0), shift < 0 ? sums.run : sums.total);
      },
      [&](int shift) {
        if (shift < 0) kernels_.fold(sums.run, size, shift, sums.total);
      });
}

TileSums TileMultiplier::multiply(std::span<const Block> blocks, const RowPanel& a, const ColumnPanel& b,
                                  int32_t* tile, int64_t* wide) const {
  double bound = 0;
  for (size_t i = 0; i < blocks.size(); ++i) bound += a.bounds[i].norm * b.bounds[i].norm;
  if (bound < kLargestSum) {
    const int64_t pairs = blocks.empty() ? 0 : blocks.back().pair + blocks.back().pairs;
    kernels_.multiply(a.rows, pairs, a.pairs, b.pairs, b.places, tile);
    return {tile, nullptr};
  }
  std::memset(wide, 0, static_cast<size_t>(a.rows * kernels_.columns) * sizeof(int64_t));
  add(blocks, a, b, {wide, nullptr}, tile);
  return {nullptr, wide};
}

void TileMultiplier::finish(const TileSums& sums, int rows, const float* row_scale, const float* column_scale,
                            int columns, float* out, int64_t stride) const {
  if (sums.narrow != nullptr) {
    kernels_.finish(sums.narrow, rows, row_scale, column_scale, columns, out, stride);
  } else {
    kernels_.finish_wide(sums.wide, rows, row_scale, column_scale, columns, out, stride);
  }
}

}  // namespace cairn::exact
